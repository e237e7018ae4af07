import type { Published } from '../db/statements/warm-starts.ts';

/** Of the trial's own family: the best share of the published sets, at most MAX_OF_FAMILY. */
const GOOD_SHARE = 0.25;
const MAX_OF_FAMILY = 4;
/** Of other families, whose tensors fit at best by shape: the best set of each, at most MAX_OTHERS. */
const MAX_OTHERS = 3;

/** The published sets that a trial of the family may start from, preferred ones first. */
export function rankWarmStarts(published: readonly Published[], family: string): Published[] {
  const ranked = [...published].sort((a, b) => b.score - a.score || a.trialId - b.trialId);
  const own = ranked.filter((each) => each.family === family);
  const others = ranked.filter(
    (each, place) => each.family !== family && ranked.findIndex((first) => first.family === each.family) === place,
  );
  const good = Math.min(MAX_OF_FAMILY, Math.ceil(GOOD_SHARE * own.length));
  return [...own.slice(0, good), ...others.slice(0, MAX_OTHERS)];
}
