import type { Published } from '../db/statements/warm-starts.ts';

/** Of the trial's own family the best share of those published is looked at, and at most so many. */
const GOOD_SHARE = 0.25;
const MAX_OF_FAMILY = 4;
/** Of other families, whose tensors fit by shape at best, the best one of each of so many. */
const MAX_OTHERS = 3;

/** What a trial of the family may start from, most wanted first. */
export function rankStarts(published: readonly Published[], family: string): Published[] {
  const ranked = [...published].sort((a, b) => b.score - a.score || a.trialId - b.trialId);
  const own = ranked.filter((each) => each.family === family);
  const others = ranked.filter(
    (each, place) => each.family !== family && ranked.findIndex((first) => first.family === each.family) === place,
  );
  const good = Math.min(MAX_OF_FAMILY, Math.ceil(GOOD_SHARE * own.length));
  return [...own.slice(0, good), ...others.slice(0, MAX_OTHERS)];
}
