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

/** Free knobs of all families up to which a Gaussian process learns from few trials; beyond, TPE does as well for less. */
const MAX_KNOBS = 20;
/** One proposal in so many is TPE's: where the process has a wrong idea of the function, it would not find out by itself. */
const SECOND_OPINION = 4;
/** Trials before the process is asked: one more than there are knobs, within limits. */
const MAX_STARTUP = 8;
/** Trials that the process looks at, and those its length scales come from: half of them the best, half the latest. */
const MAX_SAMPLES = 100;
const MAX_TO_FIT = 64;
/** Running trials that it keeps away from. */
const MAX_PENDING = 28;
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
  // Knobs are compared with those of trials that started alike: next to warm ones no random start would look promising.
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

/** What the process has learnt from a study's trials. */
interface Learnt {
  /** Of a point, with first weights from there. */
  expected(point: SearchPoint, where: number): Prediction;
  /**
   * The best value that it believes in, of trials that started like one from there, or of all. Not the best score seen: of noisy
   * scores, and of ripples that are noise to the model, that would be the luckiest.
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

/** At most so many of the trials ranked best first: the better half of them the best, the rest the latest of the others. */
function bestAndLatest(ranked: Evidence['scored'], max: number): Evidence['scored'] {
  const best = ranked.slice(0, max / 2);
  const others = ranked.slice(max / 2).sort((a, b) => a.trial.number - b.trial.number);
  return [...best, ...others.slice(-max / 2)];
}
