import { createRng, deriveSeed, type Rng } from '../runtime/rng.ts';
import type { Advisor, Proposal, SearchSpace, Start, TrialHistory } from './advisor.ts';
import { type Branch, branchesOf, proposalAt } from './axes.ts';
import { type Evidence, evidenceOf } from './evidence.ts';
import { firstOfFamily } from './first-trials.ts';
import { mostPromising } from './gp/acquire.ts';
import { embeddingOf } from './gp/embedding.ts';
import { logExpectedImprovement } from './gp/expected-improvement.ts';
import { fitHyperparameters } from './gp/fit.ts';
import { posterior, type Samples } from './gp/gaussian-process.ts';
import { halfRank } from './gp/half-rank.ts';
import { judging } from './judging.ts';
import { type Point, pointOf, snap } from './points.ts';
import { random } from './random.ts';
import { BEST_START, RANDOM_START, startsOf } from './starts.ts';
import { tpe } from './tpe.ts';

/** Free knobs of all families up to which a Gaussian process learns from few trials; beyond, TPE does as well for less. */
const MOST_KNOBS = 20;
/** One proposal in so many is TPE's: where the process has a wrong idea of the function, it would not find out by itself. */
const SECOND_OPINION = 4;
/** Trials before the process is asked: one more than there are knobs, within limits. */
const MOST_STARTUP = 8;
/** Trials that the process looks at, and those its length scales come from: half of them the best, half the latest. */
const MOST_SAMPLES = 100;
const MOST_TO_FIT = 64;
/** Running trials that it keeps away from. */
const MOST_PENDING = 28;
/** Best trials that it looks around. */
const INCUMBENTS = 3;

/**
 * Bayesian optimisation (Snoek et al. 2012): a Gaussian process over families and knobs, and the values whose expected
 * improvement on the best value that the process believes in is largest. In large spaces it hands over to TPE. What a
 * trial starts from is one more thing that the process learns from; and where others' weights can be had, it is one more
 * that is chosen.
 */
export const bayesian: Advisor = {
  name: 'bayesian',
  ...judging,

  propose(search, history, start = 'random') {
    const branches = branchesOf(search);
    const knobs = branches.reduce((sum, { axes }) => sum + axes.length, 0);
    if (knobs === 0 || knobs > MOST_KNOBS) return tpe.propose(search, history);
    const evidence = evidenceOf(history.filter((trial) => branches.some(({ family }) => family === trial.family)));
    const first = firstOfFamily(search, history);
    const startup = Math.min(MOST_STARTUP, knobs + 1);
    if (first !== null || evidence.scored.length < startup) return first ?? random.propose(search, history);
    if (history.length % SECOND_OPINION === 0) return tpe.propose(search, history);
    const rng = createRng(deriveSeed(search.seed, history.length));
    return proposeByProcess(search, branches, { evidence, start, rng });
  },
};

interface Question {
  evidence: Evidence;
  start: Start;
  rng: Rng;
}

function proposeByProcess(
  search: SearchSpace,
  branches: readonly Branch[],
  { evidence, start, rng }: Question,
): Proposal {
  const startOf = startsOf(evidence);
  const areAlike = start === 'random' && evidence.scored.every(({ trial }) => trial.parent === undefined);
  const embedding = embeddingOf(branches, !areAlike);
  const place = (trial: TrialHistory): Float64Array[] => {
    const point = pointOf(branches, trial);
    return point === null ? [] : [embedding.embed(point.branch, point.positions, startOf(trial))];
  };
  const samplesOf = (scored: Evidence['scored']): Samples => ({
    x: scored.flatMap(({ trial }) => place(trial)),
    y: halfRank(scored.map(({ score }) => score)),
  });
  const ranked = [...evidence.scored].sort((a, b) => b.score - a.score || a.trial.number - b.trial.number);
  const hyper = fitHyperparameters(samplesOf(bestAndLatest(ranked, MOST_TO_FIT)), embedding);
  const known = bestAndLatest(ranked, MOST_SAMPLES);
  const predict = posterior(samplesOf(known), hyper, evidence.pending.slice(-MOST_PENDING).flatMap(place));
  // Not the best score seen: of noisy scores, and of ripples that are noise to the model, that would be the luckiest.
  const bestOf = (scored: Evidence['scored']): number =>
    scored.flatMap(({ trial }) => place(trial)).reduce((most, x) => Math.max(most, predict(x).mean), -Infinity);
  const incumbents = ranked.slice(0, INCUMBENTS).flatMap(({ trial }) => pointOf(branches, trial) ?? []);
  // Knobs are compared with those of trials that started alike: next to warm ones no random start would look promising.
  const startingAt = (where: number): { point: Point; gain: number } => {
    const alike = known.filter(({ trial }) => (startOf(trial) === RANDOM_START) === (where === RANDOM_START));
    const gainOver =
      (best: number) =>
      (candidate: Point): number => {
        const { branch, positions } = snap(search, branches, candidate);
        return logExpectedImprovement(predict(embedding.embed(branch, positions, where)), best);
      };
    const value = gainOver(bestOf(alike.length > 0 ? alike : known));
    const point = mostPromising({ branches, incumbents, value }, rng);
    return { point, gain: gainOver(bestOf(known))(point) };
  };
  const proposalFrom = ({ point }: { point: Point }): Proposal =>
    proposalAt(branches[point.branch] as Branch, search.overrides, point.positions);
  const fromRandom = startingAt(RANDOM_START);
  if (start === 'random') return proposalFrom(fromRandom);
  const fromBest = startingAt(BEST_START);
  return fromBest.gain > fromRandom.gain ? proposalFrom(fromBest) : { ...proposalFrom(fromRandom), start: 'random' };
}

/** At most so many of the trials ranked best first: the better half of them the best, the rest the latest of the others. */
function bestAndLatest(ranked: Evidence['scored'], most: number): Evidence['scored'] {
  const best = ranked.slice(0, most / 2);
  const others = ranked.slice(most / 2).sort((a, b) => a.trial.number - b.trial.number);
  return [...best, ...others.slice(-most / 2)];
}
