import { createRng, deriveSeed, type Rng } from '../runtime/rng.ts';
import type { Advisor, InitialWeights, Proposal, SearchSpace, TrialHistory } from './advisor.ts';
import { type Branch, branchesOf, proposalAt, searchedTrials } from './axes.ts';
import { type Evidence, evidenceOf } from './evidence.ts';
import { firstOfFamily } from './first-trials.ts';
import { maximise } from './gp/acquire.ts';
import { embeddingOf } from './gp/embedding.ts';
import { logExpectedImprovement } from './gp/expected-improvement.ts';
import { fitHyperparameters } from './gp/fit.ts';
import { type Prediction, posterior, type Samples } from './gp/gaussian-process.ts';
import { halfRank } from './gp/half-rank.ts';
import { BEST_START, initialWeightsPositions, RANDOM_START } from './initial-weights.ts';
import { pointOf, type SearchPoint, snap } from './points.ts';
import { random } from './random.ts';
import { stopDecision } from './stop-decision.ts';
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
const TPE_INTERVAL = 4;
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
 * largest expected improvement on the best value according to the process. In large spaces TPE is used. The initial
 * weights are a further input of the process, and, if published weights are available, a further choice.
 */
export const bayesian: Advisor = {
  name: 'bayesian',
  title: 'a Gaussian process, or tpe beyond 20 free knobs',
  ...stopDecision,

  propose(search, history, initialWeights = 'random') {
    const branches = branchesOf(search);
    const knobs = branches.reduce((sum, { axes }) => sum + axes.length, 0);
    if (knobs === 0 || knobs > MAX_KNOBS) return tpe.propose(search, history);
    const evidence = evidenceOf(searchedTrials(branches, history));
    const first = firstOfFamily(search, history);
    const startup = Math.min(MAX_STARTUP, knobs + 1);
    if (first !== null || evidence.scored.length < startup) return first ?? random.propose(search, history);
    if (history.length % TPE_INTERVAL === 0) return tpe.propose(search, history);
    const rng = createRng(deriveSeed(search.seed, history.length));
    return proposeByProcess(search, branches, { evidence, initialWeights, rng });
  },
};

interface ProposalRequest {
  evidence: Evidence;
  initialWeights: InitialWeights;
  rng: Rng;
}

function proposeByProcess(
  search: SearchSpace,
  branches: readonly Branch[],
  { evidence, initialWeights, rng }: ProposalRequest,
): Proposal {
  const withInitialWeights =
    initialWeights === 'open' || evidence.scored.some(({ trial }) => trial.parent !== undefined);
  const { predict, best, incumbents } = fitModel(branches, evidence, withInitialWeights);
  const improvementOn =
    (best: number, weights: number) =>
    (candidate: SearchPoint): number =>
      logExpectedImprovement(predict(snap(search, branches, candidate), weights), best);
  // Knobs are compared with trials with the same kind of initial weights: warm-started trials would beat any random start.
  const bestPointFor = (weights: number): SearchPoint =>
    maximise({ branches, incumbents, value: improvementOn(best(weights), weights) }, rng);
  const proposalOf = ({ branch, positions }: SearchPoint): Proposal =>
    proposalAt(branches[branch] as Branch, search.overrides, positions);

  const randomPoint = bestPointFor(RANDOM_START);
  if (initialWeights === 'random') return proposalOf(randomPoint);
  const warmPoint = bestPointFor(BEST_START);
  const isWarmBetter = improvementOn(best(), BEST_START)(warmPoint) > improvementOn(best(), RANDOM_START)(randomPoint);
  return isWarmBetter ? proposalOf(warmPoint) : { ...proposalOf(randomPoint), initialWeights: 'random' };
}

/** The process's model of a study. */
interface FittedModel {
  /** At a point, for the given initial weights. */
  predict(point: SearchPoint, weights: number): Prediction;
  /**
   * The best mean of the process, over trials with that kind of initial weights, or over all. The best observed score would
   * be biased upwards by noise.
   */
  best(weights?: number): number;
  incumbents: readonly SearchPoint[];
}

function fitModel(branches: readonly Branch[], evidence: Evidence, withInitialWeights: boolean): FittedModel {
  const embedding = embeddingOf(branches, withInitialWeights);
  const weightsOf = initialWeightsPositions(evidence);
  const embed = (trial: TrialHistory): Float64Array[] => {
    const point = pointOf(branches, trial);
    return point === null ? [] : [embedding.embed(point.branch, point.positions, weightsOf(trial))];
  };
  const samplesOf = (scored: Evidence['scored']): Samples => ({
    x: scored.flatMap(({ trial }) => embed(trial)),
    y: halfRank(scored.map(({ score }) => score)),
  });
  const ranked = [...evidence.scored].sort((a, b) => b.score - a.score || a.trial.number - b.trial.number);
  const hyper = fitHyperparameters(samplesOf(bestAndLatest(ranked, MAX_TO_FIT)), embedding);
  const samples = bestAndLatest(ranked, MAX_SAMPLES);
  const predictVector = posterior(samplesOf(samples), hyper, evidence.pending.slice(-MAX_PENDING).flatMap(embed));
  const isRandom = (weights: number): boolean => weights === RANDOM_START;
  return {
    predict: ({ branch, positions }, weights) => predictVector(embedding.embed(branch, positions, weights)),
    best(weights) {
      const sameKind = samples.filter(
        ({ trial }) => weights === undefined || isRandom(weightsOf(trial)) === isRandom(weights),
      );
      const best = sameKind.length > 0 ? sameKind : samples;
      const means = best.flatMap(({ trial }) => embed(trial)).map((x) => predictVector(x).mean);
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
