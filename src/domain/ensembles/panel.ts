import type { Metric } from '../metrics.ts';
import type { EnsembleRule, MemberWeight } from './rule.ts';

/** What candidates for an ensemble answered on the same validation rows, and what is true of them: ensembles are fitted to it and scored by it. */
export interface Panel {
  readonly candidates: number;
  /** Validation rows that can be scored. */
  readonly rows: number;
  readonly effort: FitEffort;
  /** By which a candidate's probabilities are calibrated on these rows; 1 for what has none. */
  temperature(candidate: number, rows: Int32Array): number;
  /** The function that weights are fitted by. */
  lossOf(temperatures: readonly number[]): EnsembleLoss;
  /** The score of answers that come from several ensembles, each for its rows, in [0, 1], larger is better; `metric`: default the task's. */
  score(parts: readonly ScoredPart[], metric?: Metric): number;
}

/** The loss of a weighted ensemble on some rows, which may repeat; a candidate counts as often as `counts` says. */
export type EnsembleLoss = (counts: Uint8Array, rows: Int32Array) => number;

/** How much is computed to fit weights. */
export interface FitEffort {
  /** Members that are added one after another. */
  steps: number;
  bags: number;
  /** Maximum number of rows; of more, some are used, evenly spread. */
  rows: number;
}

/** A candidate of a panel as a member of an ensemble. */
export interface PanelMember extends MemberWeight {
  candidate: number;
}

/** Members are in the order of the candidates, the best first. */
export interface PanelEnsemble {
  rule: EnsembleRule;
  members: readonly PanelMember[];
}

export interface ScoredPart {
  rows: Int32Array;
  ensemble: PanelEnsemble;
}

/** At most `max` of `rows` places, evenly spread. */
export function spread(rows: number, max: number): Int32Array {
  const count = Math.min(rows, max);
  return Int32Array.from({ length: count }, (_, i) => Math.floor((i * rows) / count));
}
