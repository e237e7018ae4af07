import type { Table } from '../../domain/table.ts';
import type { Labels } from '../../domain/task.ts';
import type { RowTargets } from '../../linear/losses.ts';

/** The right answers of some rows of a table, and their classes: none if they are numbers. */
export interface Truth {
  labels: Labels;
  classes: readonly string[];
}

/** What is learnt of rows that features are fitted to, in their order. */
export interface ColumnTargets {
  /** Numbers of groups of classes, or standardised numbers. */
  values: RowTargets['values'];
  /** 0 if numbers are learnt. */
  groups: number;
  /** In which of {@link FOLDS} parts a row is. Equal rows are in one: they would tell each other's answer. */
  folds: Uint8Array;
}

/** A training row's feature that is made of answers is made of those in the other parts. */
export const FOLDS = 5;

/** Groups of classes: the frequent ones, and all others. More would be as many features of each column. */
const MAX_GROUPS = 12;

/** Undefined for what columns cannot learn from. */
export function columnTargets(table: Table, rows: Int32Array, { labels, classes }: Truth): ColumnTargets | undefined {
  const folds = Uint8Array.from(rows, (row) => Number(BigInt.asUintN(32, table.hashes[row] ?? 0n)) % FOLDS);
  if (labels instanceof Float64Array) return { values: standardised(labels), groups: 0, folds };
  if (!(labels instanceof Int32Array) || classes.length < 2) return undefined;
  return { ...groupsOf(labels, classes.length), folds };
}

function standardised(labels: Float64Array): Float64Array {
  const mean = labels.reduce((sum, label) => sum + label / labels.length, 0);
  const variance = labels.reduce((sum, label) => sum + (label - mean) ** 2 / labels.length, 0);
  const scale = variance > 0 ? 1 / Math.sqrt(variance) : 0;
  return labels.map((label) => (label - mean) * scale);
}

function groupsOf(labels: Int32Array, classes: number): Pick<ColumnTargets, 'values' | 'groups'> {
  if (classes <= MAX_GROUPS) return { values: labels, groups: classes };
  const counts = new Uint32Array(classes);
  for (const label of labels) counts[label]!++;
  const frequent = Array.from(counts.keys())
    .sort((a, b) => (counts[b] as number) - (counts[a] as number) || a - b)
    .slice(0, MAX_GROUPS - 1);
  const groups = new Int32Array(classes).fill(MAX_GROUPS - 1);
  for (const [group, label] of frequent.entries()) groups[label] = group;
  return { values: labels.map((label) => groups[label] as number), groups: MAX_GROUPS };
}
