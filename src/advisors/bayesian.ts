import { createRng, deriveSeed, type Rng } from '../runtime/rng.ts';
import type { Advisor, Proposal, SearchSpace, Start, TrialHistory } from './advisor.ts';
import { type Branch, branchesOf, proposalAt } from './axes.ts';
import { type Evidence, evidenceOf } from './evidence.ts';
import { firstOfFamily } from './first-trials.ts';
import { mostPromising } from './gp/acquire.ts';
import { embeddingOf } from './gp/embedding.ts';
import { logExpectedImprovement } from './gp/expected-improvement.ts';
import { fitHyperparameters } from './gp/fit.ts';
import { type Prediction, posterior, type Samples } from './gp/gaussian-process.ts';
import { halfRank } from './gp/half-rank.ts';
import { judging } from './judging.ts';
import { pointOf, type SearchPoint, snap } from './points.ts';
import { random } from './random.ts';
import { BEST_START, RANDOM_START, startsOf } from './starts.ts';
import { tpe } from './tpe.ts';

/**
 * Maximum of free knobs, over all families, for the Gaussian process, which learns from few trials; with more, TPE is
 * as good and cheaper.
 */
const MAX_KNOBS = 20;
/**
 * One in this many proposals comes from TPE: the process would not detect by itself that its model of the function is
 * wrong.
 */
const SECOND_OPINION = 4;
/** Trials before the process is used: one more than the number of knobs, up to this maximum. */
const MAX_STARTUP = 8;
/** Maximum of trials for the process, and for fitting its length scales: half of them the best, half the latest. */
const MAX_SAMPLES = 100;
const MAX_TO_FIT = 64;
/** Maximum of running trials whose neighbourhood is avoided. */
const MAX_PENDING = 28;
/** Number of best trials whose neighbourhood is searched. */
const INCUMBENTS = 3;

/**
 * Bayesian optimisation (Snoek et al. 2012): a Gaussian process over families and knobs; proposes the values with the
 * largest expected improvement on the best value according to the process. In large spaces TPE is used. The kind of
 * start is a further input of the process, and, if published weights are available, a further choice.
 */
export const bayesian: Advisor = {
  name: 'bayesian',
  title: 'a Gaussian process, or tpe beyond 20 free knobs',
  ...judging,

  propose(search, history, start = 'random') {
    const branches = branchesOf(search);
    const knobs = branches.reduce((sum, { axes }) => sum + axes.length, 0);
    if (knobs === 0 || knobs > MAX_KNOBS) return tpe.propose(search, history);
    const evidence = evidenceOf(history.filter((trial) => branches.some(({ family }) => family === trial.family)));
    const first = firstOfFamily(search, history);
    const startup = Math.min(MAX_STARTUP, knobs + 1);
    if (first !== null || evidence.scored.length < startup) return first ?? random.propose(search, history);
    if (history.length % SECOND_OPINION === 0) return tpe.propose(search, history);
    const rng = createRng(deriveSeed(search.seed, history.length));
    return proposeByProcess(search, branches, { evidence, start, rng });
  },
};

interface ProposalRequest {
  evidence: Evidence;
  start: Start;
  rng: Rng;
}

function proposeByProcess(
  search: SearchSpace,
  branches: readonly Branch[],
  { evidence, start, rng }: ProposalRequest,
): Proposal {
  const withStarts = start === 'open' || evidence.scored.some(({ trial }) => trial.parent !== undefined);
  const { expected, best, incumbents } = learn(branches, evidence, withStarts);
  const gainOver =
    (min: number, where: number) =>
    (candidate: SearchPoint): number =>
      logExpectedImprovement(expected(snap(search, branches, candidate), where), min);
  // Knobs are compared with trials of the same kind of start: compared with warm-started trials, no random start would
  // look promising.
  const startingAt = (where: number): SearchPoint =>
    mostPromising({ branches, incumbents, value: gainOver(best(where), where) }, rng);
  const proposalOf = ({ branch, positions }: SearchPoint): Proposal =>
    proposalAt(branches[branch] as Branch, search.overrides, positions);

  const fromRandom = startingAt(RANDOM_START);
  if (start === 'random') return proposalOf(fromRandom);
  const fromBest = startingAt(BEST_START);
  const gains = gainOver(best(), BEST_START)(fromBest) > gainOver(best(), RANDOM_START)(fromRandom);
  return gains ? proposalOf(fromBest) : { ...proposalOf(fromRandom), start: 'random' };
}

/** The process's model of a study. */
interface Learnt {
  /** At a point, for the given kind of start. */
  expected(point: SearchPoint, where: number): Prediction;
  /**
   * The best value according to the process, of trials with that kind of start, or of all. Not the best observed score,
   * which would be the luckiest one under noise.
   */
  best(where?: number): number;
  incumbents: readonly SearchPoint[];
}

function learn(branches: readonly Branch[], evidence: Evidence, withStarts: boolean): Learnt {
  const embedding = embeddingOf(branches, withStarts);
  const startOf = startsOf(evidence);
  const place = (trial: TrialHistory): Float64Array[] => {
    const point = pointOf(branches, trial);
    return point === null ? [] : [embedding.embed(point.branch, point.positions, startOf(trial))];
  };
  const samplesOf = (scored: Evidence['scored']): Samples => ({
    x: scored.flatMap(({ trial }) => place(trial)),
    y: halfRank(scored.map(({ score }) => score)),
  });
  const ranked = [...evidence.scored].sort((a, b) => b.score - a.score || a.trial.number - b.trial.number);
  const hyper = fitHyperparameters(samplesOf(bestAndLatest(ranked, MAX_TO_FIT)), embedding);
  const known = bestAndLatest(ranked, MAX_SAMPLES);
  const predict = posterior(samplesOf(known), hyper, evidence.pending.slice(-MAX_PENDING).flatMap(place));
  const isRandom = (where: number): boolean => where === RANDOM_START;
  return {
    expected: ({ branch, positions }, where) => predict(embedding.embed(branch, positions, where)),
    best(where) {
      const alike = known.filter(({ trial }) => where === undefined || isRandom(startOf(trial)) === isRandom(where));
      const means = (alike.length > 0 ? alike : known).flatMap(({ trial }) => place(trial)).map((x) => predict(x).mean);
      return Math.max(...means);
    },
    incumbents: ranked.slice(0, INCUMBENTS).flatMap(({ trial }) => pointOf(branches, trial) ?? []),
  };
}

/** At most `max` trials of a ranking (best first): half of them the best, the rest the latest of the others. */
function bestAndLatest(ranked: Evidence['scored'], max: number): Evidence['scored'] {
  const best = ranked.slice(0, max / 2);
  const others = ranked.slice(max / 2).sort((a, b) => a.trial.number - b.trial.number);
  return [...best, ...others.slice(-max / 2)];
}
