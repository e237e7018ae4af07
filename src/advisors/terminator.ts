import { createRng, deriveSeed } from '../runtime/rng.ts';
import type { SearchSpace, TrialHistory } from './advisor.ts';
import { branchesOf, searchedTrials } from './axes.ts';
import { evidenceOf } from './evidence.ts';
import { maximise } from './gp/acquire.ts';
import { embeddingOf } from './gp/embedding.ts';
import { fitHyperparameters } from './gp/fit.ts';
import { posterior } from './gp/gaussian-process.ts';
import { pointOf, snap } from './points.ts';

/** Minimum of trials before a study may be ended: with fewer the process is overconfident. */
export const MIN_TRIALS = 20;
/** Only the best trials are used, at most this share and number: the bound is about the region of the best value. */
const TOP_SHARE = 0.5;
const MAX_SAMPLES = 64;
/** Probability that the bound fails, and the divisor of β, which is far too large in theory. */
const FAILURE_PROBABILITY = 0.1;
const BETA_DIVISOR = 5;

/**
 * Upper bound of the difference between the best possible and the best observed trial: the largest upper confidence
 * bound of a Gaussian process over the space, minus the largest lower bound of a trial (Makarova et al. 2022,
 * "Automatic Termination for Hyperparameter Optimization", section 4), with β = 2 log(d t² π² / (6 · FAILURE_PROBABILITY)) / BETA_DIVISOR
 * (Srinivas et al. 2010). `error` is the standard error of a score. Null if there are too few trials.
 */
export function regretBound(search: SearchSpace, history: readonly TrialHistory[], error: number): number | null {
  const branches = branchesOf(search);
  const knobs = branches.reduce((sum, { axes }) => sum + axes.length, 0);
  const { scored } = evidenceOf(searchedTrials(branches, history));
  if (knobs === 0 || scored.length < MIN_TRIALS) return null;
  const top = [...scored]
    .sort((a, b) => b.score - a.score || a.trial.number - b.trial.number)
    .slice(0, Math.min(MAX_SAMPLES, Math.ceil(TOP_SHARE * scored.length)))
    .flatMap(({ trial, score }) => {
      const point = pointOf(branches, trial);
      return point === null ? [] : [{ point, score }];
    });
  const { y, deviation } = standardise(top.map(({ score }) => score));
  if (deviation < 1e-9) return 0; // no difference between the trials

  const embedding = embeddingOf(branches);
  const x = top.map(({ point }) => embedding.embed(point.branch, point.positions));
  const predict = posterior({ x, y }, fitHyperparameters({ x, y }, embedding, (error / deviation) ** 2));
  const width = Math.sqrt(
    (2 * Math.log((knobs * scored.length ** 2 * Math.PI ** 2) / (6 * FAILURE_PROBABILITY))) / BETA_DIVISOR,
  );
  const bound = (at: Float64Array, sign: 1 | -1): number => {
    const { mean, deviation: standardDeviation } = predict(at);
    return mean + sign * width * standardDeviation;
  };
  const value = (candidate: (typeof top)[number]['point']): number => {
    const { branch, positions } = snap(search, branches, candidate);
    return bound(embedding.embed(branch, positions), 1);
  };
  const rng = createRng(deriveSeed(search.seed, history.length, MIN_TRIALS));
  const incumbents = top.slice(0, 3).map(({ point }) => point);
  const maxUpperBound = value(maximise({ branches, incumbents, value }, rng));
  const maxLowerBound = x.reduce((max, at) => Math.max(max, bound(at, -1)), Number.NEGATIVE_INFINITY);
  return Math.max(0, maxUpperBound - maxLowerBound) * deviation;
}

/** Standard error of a score that is a share of `rows`, the difference to expect between equally good trials. */
export const standardError = (score: number, rows: number): number => Math.sqrt((score * (1 - score)) / rows);

function standardise(scores: readonly number[]): { y: Float64Array; deviation: number } {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const deviation = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length);
  return { y: Float64Array.from(scores, (score) => (score - mean) / (deviation || 1)), deviation };
}
