import { createHash } from 'node:crypto';
import { TableRow } from '../../src/domain/table.ts';
import type { DataSet, Examples } from '../../src/domain/task.ts';
import { TableBuilder } from '../../src/features/columns/table-builder.ts';
import { textsOf } from '../../src/features/encoder.ts';
import { familiesFor } from '../../src/models/registry.ts';
import { createRng } from '../../src/runtime/rng.ts';
import type { Figure } from '../figure.ts';
import { readDataSet } from '../zoo/data.ts';
import { testScore } from './recipe.ts';

const task = 'tabular_classification';
const QUICK_ROWS = 2000;
/** How often a critic's own column says what the review says. */
const AGREES = 0.7;

/** Reviews as one column of three: each family with and without it. The validation part is split: a half chooses, a half is the test. */
export async function* columnFigures(quick: boolean): AsyncIterable<Figure> {
  const reviews = readDataSet('mr');
  const whole = tableOf(reviews, quick ? QUICK_ROWS : Number.POSITIVE_INFINITY, true);
  const without = tableOf(reviews, quick ? QUICK_ROWS : Number.POSITIVE_INFINITY, false);
  for (const { name: family } of familiesFor(task)) {
    const value = await testScore({ task, family }, whole.data, whole.test);
    const peerValue = await testScore({ task, family }, without.data, without.test);
    const figure = { bench: 'linear', name: `column-${family}`, value, unit: 'accuracy', peer: 'without the text' };
    yield { ...figure, peerValue, ratio: value / peerValue, ok: value > peerValue };
  }
}

/** A rating that mostly follows the label, a studio that says nothing, and the text. */
function tableOf(
  { classes, train, valid }: DataSet,
  limit: number,
  hasText: boolean,
): { data: DataSet; test: Examples } {
  const rng = createRng(3);
  const parts = [train, valid].map(({ inputs, labels }) => ({
    inputs: textsOf(inputs).slice(0, limit),
    labels: (labels as Int32Array).slice(0, limit),
  }));
  const columns = [
    { name: 'rating', kind: 'number' },
    { name: 'studio', kind: 'text' },
    ...(hasText ? [{ name: 'body', kind: 'text' }] : []),
  ];
  const rows = parts.flatMap(({ inputs, labels }) =>
    inputs.map((body, i) => {
      const told = rng.uniform() < AGREES ? labels[i] : 1 - Number(labels[i]);
      return JSON.stringify({ rating: Number(told) + rng.normal() / 2, studio: `studio ${rng.below(20)}`, body });
    }),
  );
  const builder = new TableBuilder(columns);
  for (const row of rows) builder.add(row);
  const hashes = BigInt64Array.from(rows, (row) => createHash('sha256').update(row).digest().readBigInt64BE());
  const table = { ...builder.take(), hashes };
  const labels = parts.flatMap((part) => [...part.labels]);
  const [from, half] = [parts[0]?.inputs.length ?? 0, Math.floor((rows.length + (parts[0]?.inputs.length ?? 0)) / 2)];
  const part = (start: number, end: number): Examples => ({
    inputs: Array.from({ length: end - start }, (_, i) => new TableRow(table, start + i)),
    labels: Int32Array.from(labels.slice(start, end)),
  });
  return { data: { classes, train: part(0, from), valid: part(from, half) }, test: part(half, rows.length) };
}
