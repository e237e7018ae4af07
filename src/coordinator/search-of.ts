import type { WorkerFamily } from '../db/statements/families.ts';
import type { Study } from '../db/statements/studies.ts';
import { spaceOf } from '../domain/knob-rows.ts';
import type { KnownEncoder } from '../domain/training.ts';
import { InvalidParameter } from '../errors/errors.ts';
import type { Family } from '../models/family.ts';
import { hasSizes, studyFamilies } from '../models/registry.ts';
import type { StudyView } from './study-view.ts';

/** A family as the coordinator knows it: of those that only workers have, their description. */
type Searched = Pick<Family, 'name' | 'space' | 'minSeconds'>;

/** What a study searches: its families, those with experience first, and what is known of them. */
export function searchOf(
  study: Study,
  ofWorkers: readonly WorkerFamily[],
): Pick<StudyView, 'search' | 'isSlow' | 'someWorkers'> {
  const { task, families, knobs, seed, experience } = study;
  const canTrain = namedEncoders(study).every(({ trainable }) => trainable);
  const own = studyFamilies(study).filter(({ trainsEncoder = false }) => canTrain || !trainsEncoder);
  const others = ofWorkers.filter((family) => isSearched(family, study));
  const chosen: Searched[] = [...own, ...others.map(({ name, knobs: rows }) => ({ name, space: () => spaceOf(rows) }))];
  if (chosen.length === 0) {
    throw new InvalidParameter('the study names no family of this version', {
      detail: `families: ${families?.join(', ')}`,
      hint: 'rafiki_knobs(task) lists the families.',
    });
  }
  const search = {
    families: byExperience(chosen, experience).map(({ name, space, minSeconds = 0 }) => {
      const earlier = experience.find(({ family }) => family === name)?.knobs ?? null;
      const isKnown = earlier !== null && !own.some((each) => each.name === name && hasSizes(each)); // the size of a slow network depended on the time
      return { name, space: space(task, study), minSeconds, ...(isKnown ? { initial: earlier } : {}) };
    }),
    overrides: knobs,
    seed,
  };
  const someWorkers = new Map(others.map(({ name, workers }) => [name, workers]));
  return { search, isSlow: own.some(hasSizes), ...(someWorkers.size === 0 ? {} : { someWorkers }) };
}

/** The encoders that its owner named; all families of a study have the same overrides, so one that trains encoders could get any of them. */
function namedEncoders({ encoders, knobs: { encoder: given } }: Study): readonly KnownEncoder[] {
  const named = typeof given === 'object' && 'list' in given ? given.list : [given];
  return encoders.filter(({ name }) => named.includes(name));
}

/** One that was named waits for its workers; another one is for studies while some are running. */
function isSearched(
  { name, task, minTrials, needsEncoder, workers }: WorkerFamily,
  { task: asked, families, maxTrials, encoders }: Study,
): boolean {
  if (task !== asked || (needsEncoder && encoders.length === 0)) return false;
  return families === null ? workers > 0 && minTrials <= maxTrials : families.includes(name);
}

/** Families of which earlier studies had the best scores come first; the others keep the zoo's order. */
function byExperience(families: readonly Searched[], experience: Study['experience']): readonly Searched[] {
  const known = experience.flatMap(({ family }) => families.filter(({ name }) => name === family));
  return [...known, ...families.filter((family) => !known.includes(family))];
}
