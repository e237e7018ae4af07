import type { Advisor, InitialWeights, Proposal, SearchSpace, TrialHistory } from '../advisors/advisor.ts';
import { isRandomStart } from '../advisors/random-start.ts';
import { regretBound, standardError } from '../advisors/terminator.ts';
import type { Study } from '../db/statements/studies.ts';
import type { NewTrial, TrialRow } from '../db/statements/trials.ts';
import { trialEnded } from '../domain/state.ts';
import { affordableTrials } from '../domain/training.ts';
import { WARM_SHARE } from '../domain/warm-start.ts';
import { deriveSeed } from '../runtime/rng.ts';
import { refitReserve } from './refits.ts';
import { type RungStep, rungSteps } from './rungs.ts';
import { isScored, type StudyView, secondsLeft } from './study-view.ts';

/** The trial in the advisor's terms. */
export const historyOf = (trial: TrialRow): TrialHistory => {
  const { number, family, knobs, scores, epochs, state } = trial;
  return { number, family, knobs, scores, epochs, parent: parentOf(trial), ended: trialEnded(state) };
};

/** One that was cancelled before it had a score says nothing of its knobs. */
const wasTried = ({ state, scores }: TrialRow): boolean => state !== 'cancelled' || scores.length > 0;

function parentOf({ initialWeights, parent, warmShare }: TrialRow): TrialHistory['parent'] {
  if (initialWeights === 'open') return null;
  return (warmShare ?? 0) >= WARM_SHARE ? parent : undefined;
}

/** The trials that an open study starts next, or why it starts no more. */
export function proposals(view: StudyView, advisor: Advisor): NewTrial[] | { close: string } {
  const { study, trials } = view;
  const waiting = trials.filter((trial) => trial.state === 'waiting');
  const allowed = study.maxTrials - trials.length;
  const steps = rungSteps(view);
  if (steps !== null) {
    for (const step of steps) {
      const count = Math.min(allowed, step.candidates, view.idleWorkers + 1 - waiting.length);
      const candidates = proposeTrials(view, advisor, { count, rung: step.place });
      const started = [...continuations(view, step).slice(0, allowed), ...candidates];
      if (started.length > 0) return started;
    }
    return [];
  }
  const running = trials.filter((trial) => trial.state === 'running').length;
  const count = Math.min(allowed, wantedTrials(view, running) - waiting.length);
  const enough = count > 0 ? reasonAgainstMore(view, trials.filter(wasTried).map(historyOf)) : null;
  if (enough !== null) return { close: enough };
  return proposeTrials(view, advisor, { count });
}

/** Trials that continue those of the last rung. */
function continuations({ study, trials }: StudyView, { continued, place }: RungStep): NewTrial[] {
  return continued.map(({ id, family, knobs }, i) => {
    const number = trials.length + 1 + i;
    const rung = { ...place, continues: id };
    return { studyId: study.id, number, family, knobs, seed: seedOf(study, number), initialWeights: 'chosen', rung };
  });
}

/** The column is a signed integer. */
const seedOf = (study: Study, number: number): number => deriveSeed(study.seed, number) >>> 1;

/** `count` trials as the advisor proposes them, candidates of the first rung if there are rungs. */
function proposeTrials(
  { study, trials, search, someWorkers }: StudyView,
  advisor: Advisor,
  { count, rung }: { count: number; rung?: RungStep['place'] },
): NewTrial[] {
  const history = trials.filter(wasTried).map(historyOf);
  const timely = search.families.filter((family) => hasTimeFor(family, study, trials));
  const preferred = withinTheirShare(timely, trials);
  const proposed: NewTrial[] = [];
  while (proposed.length < count) {
    const all = [...trials, ...proposed];
    const number = all.length + 1;
    const seed = seedOf(study, number);
    const allowed = initialWeightsOf(study, { number, seed });
    /** Null if all of these families is tried, undefined if they wait for workers or scores. */
    const among = (families: SearchSpace['families']): Proposal | null | undefined => {
      const ready = families.filter((family) => !waitsForScore(family, study, all));
      const free = withFreeWorkers(ready, all, someWorkers);
      return free.length === 0 ? undefined : advisor.propose({ ...search, families: free }, history, allowed);
    };
    const first = among(preferred);
    const proposal = first === null && preferred.length < timely.length ? among(timely) : first;
    if (!proposal) break;
    const { family, knobs, initialWeights = allowed } = proposal;
    const trial = { studyId: study.id, number, family, knobs, seed, initialWeights };
    proposed.push(rung === undefined ? trial : { ...trial, rung: { ...rung, continues: null } });
    const parent = initialWeights === 'open' ? null : undefined;
    history.push({ number, family, knobs, scores: [], parent, ended: false });
  }
  return proposed;
}

/** A trial of the study, or one that was just proposed. */
type PlannedTrial = Pick<NewTrial, 'family'> & Partial<Pick<TrialRow, 'state' | 'score'>>;

/**
 * Families of which another trial would be trained now. Of one that only some workers have, as many trials are open as there are such workers:
 * more would wait, and other workers with them. If nothing is open, a trial of such a family waits for a worker.
 */
function withFreeWorkers<F extends { name: string }>(
  families: readonly F[],
  trials: readonly PlannedTrial[],
  someWorkers: StudyView['someWorkers'],
): readonly F[] {
  if (someWorkers === undefined) return families;
  const open = trials.filter(({ state }) => state === undefined || !trialEnded(state)).map(({ family }) => family);
  const free = families.filter(({ name }) => {
    const workers = someWorkers.get(name);
    return workers === undefined || open.filter((family) => family === name).length < workers;
  });
  return free.length === 0 && open.length === 0 ? families : free;
}

/** Minimum share of what a family's quickest trial took: a trial that is cut shorter has hardly learnt. */
const MIN_TIME_SHARE = 0.5;

/** Whether a family that says how much time it needs has a trial, but no score yet: a second trial would share the cores with the first. */
function waitsForScore(
  { name, minSeconds = 0 }: SearchSpace['families'][number],
  study: Study,
  trials: readonly PlannedTrial[],
): boolean {
  if (minSeconds === 0 || study.families !== null) return false;
  const own = trials.filter(({ family }) => family === name);
  const hasScore = own.some(({ score }) => typeof score === 'number');
  return !hasScore && own.some(({ state }) => state === undefined || !trialEnded(state));
}

/**
 * Whether another trial of the family could still learn. A family that was not tried is taken to be as quick as the quickest one, unless it says
 * how much time it needs.
 */
function hasTimeFor(
  { name, minSeconds = 0 }: SearchSpace['families'][number],
  study: Study,
  trials: readonly TrialRow[],
): boolean {
  const scored = trials.filter(isScored);
  const own = scored.filter((trial) => trial.family === name);
  const left = secondsLeft(study) - refitReserve(study, trials);
  if (own.length === 0 && study.families === null && left < minSeconds) return false;
  const taken = (own.length > 0 ? own : scored).map(({ seconds }) => seconds ?? 0);
  return taken.length === 0 || left >= MIN_TIME_SHARE * Math.min(...taken);
}

/** Below this sum of all trials no family is slow: what is measured is mostly the start of processes. */
const MIN_SHARED_SECONDS = 30;

/**
 * Families that are tried again: that of the best trial, and others until they have had their even share of all trials' time. Otherwise a
 * slow family would get as many trials as a quick one, and most of the time.
 */
function withinTheirShare<F extends { name: string }>(
  families: readonly F[],
  trials: readonly TrialRow[],
): readonly F[] {
  const secondsOf = (own: readonly TrialRow[]): number => own.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0);
  const total = secondsOf(trials);
  const [best] = trials.filter(isScored).sort((a, b) => b.score - a.score);
  if (best === undefined || total < MIN_SHARED_SECONDS) return families;
  const share = total / families.length;
  const within = families.filter(
    ({ name }) => name === best.family || secondsOf(trials.filter(({ family }) => family === name)) <= share,
  );
  return within.length > 0 ? within : families;
}

/**
 * Number of trials that should wait for a worker in a study without rungs: one for each idle worker and one more, so that the advice is
 * based on recent results. Workers that train together leave each other if a trial waits.
 */
function wantedTrials({ study, trials, isSlow, idleWorkers }: StudyView, running: number): number {
  const workers = running + idleWorkers;
  const { workersPerTrial } = study;
  if (workersPerTrial !== null) return Math.max(1, Math.floor(workers / workersPerTrial)) - running;
  if (!isSlow) return Math.max(1, idleWorkers);
  const fullSeconds = trials.flatMap((trial) => trial.fullSeconds || []).at(-1) ?? 0; // 0: of a family that is quick on all data
  const affordable = Math.floor(affordableTrials({ studySeconds: secondsLeft(study), workers }, fullSeconds));
  return affordable >= workers ? Math.max(1, idleWorkers) : Math.max(1, affordable) - running;
}

/** Why more trials would not pay; null if they would, or if it cannot be estimated. */
function reasonAgainstMore({ study, trials, search }: StudyView, history: readonly TrialHistory[]): string | null {
  const { terminator, validationRows, maxTrials } = study;
  if (!terminator || validationRows === null) return null;
  const best = Math.max(0, ...trials.filter(isScored).map(({ score }) => score));
  const error = standardError(best, validationRows);
  const bound = regretBound(search, history, error);
  if (bound === null) return null;
  const gain = Math.min(bound, 1 - best);
  if (gain > error) return null;
  const ended = trials.filter(({ state }) => trialEnded(state)).length;
  return (
    `Ended after ${ended} of ${maxTrials} trials: more would gain at most ${gain.toFixed(4)}, ` +
    `the standard error of the score is ${error.toFixed(4)} (set rafiki.terminator = off to continue).`
  );
}

/**
 * Whether a new trial of a collaborative study may start from published weights. In one that starts from a model, whether collaborative or not, the
 * first trial does: that is what its owner asked for.
 */
function initialWeightsOf(study: Study, { number, seed }: { number: number; seed: number }): InitialWeights {
  if (study.startsFromModel && number === 1) return 'open';
  if (!study.collaborative) return 'random';
  const progress = Math.max((number - 1) / study.maxTrials, study.elapsedMs / study.maxTimeMs);
  const alpha = { first: study.alphaFirst, last: study.alphaLast };
  return isRandomStart(alpha, { progress, seed }) ? 'random' : 'open';
}
