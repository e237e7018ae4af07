import { MIN_PROBABILITY } from './ensembles/temperature.ts';
import type { OutputKind } from './task.ts';

/** Share of `predicted[i] === actual[i]`, in [0, 1]; 0 for no rows. */
export function accuracy(predicted: ArrayLike<number>, actual: ArrayLike<number>): number {
  let hits = 0;
  for (let i = 0; i < actual.length; i++) if (predicted[i] === actual[i]) hits++;
  return actual.length === 0 ? 0 : hits / actual.length;
}

/**
 * Unweighted mean over classes of F1 = 2·TP / (2·TP + FP + FN); a class that never occurs nor is predicted is
 * left out. A prediction that is no index of a class is wrong.
 */
export function macroF1(predicted: ArrayLike<number>, actual: ArrayLike<number>, classes: number): number {
  const tp = new Float64Array(classes);
  const missed = new Float64Array(classes);
  for (let i = 0; i < actual.length; i++) {
    const p = predicted[i] as number;
    const a = actual[i] as number;
    if (p === a) tp[a]!++;
    else {
      missed[p]!++;
      missed[a]!++;
    }
  }
  let sum = 0;
  let seen = 0;
  for (let c = 0; c < classes; c++) {
    const denominator = 2 * tp[c]! + missed[c]!;
    if (denominator === 0) continue;
    sum += (2 * tp[c]!) / denominator;
    seen++;
  }
  return seen === 0 ? 0 : sum / seen;
}

/** Index of the largest of `n` values from `offset`; the first of equals. */
export function argmax(values: ArrayLike<number>, offset: number, n: number): number {
  let best = 0;
  for (let i = 1; i < n; i++) if ((values[offset + i] as number) > (values[offset + best] as number)) best = i;
  return best;
}

/**
 * The metrics for comparing the trials of a study, all in [0, 1], larger is better. The first for an output kind is its
 * default; SQL reads them from `rafiki.metric`.
 */
export const metrics = {
  accuracy: { output: 'label', title: 'share of the rows whose class is right' },
  macro_f1: { output: 'label', title: 'F1 of each class, the mean over classes' },
  likelihood: { output: 'label', title: 'exp(-log loss): the geometric mean of what the right classes were given' },
  auc: { output: 'label', title: 'area under the ROC curve of each class against the others, the mean over classes' },
  r2: { output: 'number', title: 'share of the variance that is explained' },
  rmse: {
    output: 'number',
    title: '1 − root mean squared error / standard deviation: 1 is perfect, 0 as good as their mean',
  },
  mae: {
    output: 'number',
    title: '1 − mean absolute error / mean distance from the median: 1 is perfect',
  },
  map50: { output: 'boxes', title: 'average precision of each class at an overlap of 0.5, the mean over classes' },
} as const satisfies Record<string, { output: OutputKind; title: string }>;
export type Metric = keyof typeof metrics;

/** The metrics of an output kind. */
export type MetricOf<Kind extends OutputKind> = {
  [M in Metric]: (typeof metrics)[M]['output'] extends Kind ? M : never;
}[Metric];

/** Mean of −ln p of the right class over all rows, p at least MIN_PROBABILITY; `probabilities` is [N, classes]. 0 for no rows. */
export function logLoss(probabilities: Float32Array, actual: ArrayLike<number>): number {
  const classes = probabilities.length / actual.length;
  let sum = 0;
  for (let i = 0; i < actual.length; i++) {
    const p = probabilities[i * classes + (actual[i] as number)] as number;
    sum -= Math.log(Math.min(1 - MIN_PROBABILITY, Math.max(MIN_PROBABILITY, p)));
  }
  return actual.length === 0 ? 0 : sum / actual.length;
}

/**
 * Area under the ROC curve of each class against all others, the unweighted mean over those that have rows on both sides; 0.5 for
 * none. Equal probabilities share their ranks: with ranks r in ascending order, (Σ r of the class − n(n+1)/2) / (n · others).
 */
export function areaUnderCurve(probabilities: Float32Array, actual: ArrayLike<number>): number {
  const rows = actual.length;
  const classes = probabilities.length / Math.max(1, rows);
  const areas: number[] = [];
  for (let c = 0; c < classes; c++) {
    const p = (row: number): number => probabilities[row * classes + c] as number;
    const order = Int32Array.from({ length: rows }, (_, row) => row).sort((a, b) => p(a) - p(b));
    let own = 0;
    let ranks = 0;
    for (let from = 0, to = 0; from < rows; from = to) {
      let hits = 0;
      for (; to < rows && p(order[to] as number) === p(order[from] as number); to++)
        if (actual[order[to] as number] === c) hits++;
      own += hits;
      ranks += hits * ((from + 1 + to) / 2);
    }
    if (own > 0 && own < rows) areas.push((ranks - (own * (own + 1)) / 2) / (own * (rows - own)));
  }
  return areas.length === 0 ? 0.5 : areas.reduce((sum, area) => sum + area, 0) / areas.length;
}

/** The score of constant predictions by the frequency of the classes: a model must exceed it. */
export function baseline(metric: Metric, labels: ArrayLike<number>, classes: number): number {
  const counts = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) counts[labels[i] as number]!++;
  const shares = Array.from(counts, (count) => count / labels.length).filter((share) => share > 0);
  const max = Math.max(0, ...shares);
  switch (metric) {
    case 'accuracy':
      return max;
    case 'macro_f1':
      return shares.length === 0 ? 0 : (2 * max) / (1 + max) / shares.length;
    case 'likelihood':
      return Math.exp(shares.reduce((sum, share) => sum + share * Math.log(share), 0));
    case 'auc':
      return 0.5;
    case 'map50':
    case 'r2':
    case 'rmse':
    case 'mae':
      return 0;
  }
}
