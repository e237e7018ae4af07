import type { Network } from '../../graph/network.ts';

/** A table among the flat weights of a network. */
export interface WeightTable {
  at: number;
  rows: number;
  width: number;
}

export function tablesOf({ parameters }: Network): WeightTable[] {
  const tables: WeightTable[] = [];
  let at = 0;
  for (const { shape, rowsOf } of Object.values(parameters)) {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const [rows = 0] = shape;
    if (rowsOf !== undefined) tables.push({ at, rows, width: size / rows });
    at += size;
  }
  return tables;
}

export interface RowUses {
  /** Of each row, by all workers together. */
  uses: Uint32Array;
  /** Steps of all workers together. */
  steps: number;
  /** Number of workers divided by the factor of their learning rate. */
  workers: number;
}

/**
 * Scales the mean change of table rows that few steps used: a rare word occurs in the rows of one worker, and the mean
 * would divide what it learnt by their number, although nobody else has learnt it. With q, the fraction of the steps that used
 * a row, its mean change is multiplied by (1 − (1 − q)^W) / q, the number of the trial's own steps that would have used it
 * divided by those of one worker: W for a row that is used once, so that changes add up, and 1 for one that every step uses.
 * Scales `change` in place.
 */
export function scaleRareRows(
  change: Float32Array,
  tables: readonly WeightTable[],
  { uses, steps, workers }: RowUses,
): void {
  let first = 0;
  for (const { at, rows, width } of tables) {
    for (let row = 0; row < rows; row++) {
      const q = Math.min(1, (uses[first + row] ?? 0) / steps);
      if (q === 0) continue;
      const factor = (1 - (1 - q) ** workers) / q;
      for (let i = at + row * width; i < at + (row + 1) * width; i++) change[i] = factor * (change[i] as number);
    }
    first += rows;
  }
}
