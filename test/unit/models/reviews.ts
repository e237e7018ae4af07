import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import type { DataSet } from '../../../src/domain/task.ts';

const file = path.join(process.env['RAFIKI_DATA'] ?? '../shared/data', 'mr', 'train.csv');

export const hasReviews = existsSync(file);
if (!hasReviews) console.log(`${file} is not there: what needs film reviews is skipped`);

/** The first film reviews, validated on themselves. */
export function reviews(rows: number): DataSet {
  const records: { label: string; text: string }[] = parse(readFileSync(file), { columns: true, to: rows });
  const classes = [...new Set(records.map(({ label }) => label))].sort();
  const labels = Int32Array.from(records, ({ label }) => classes.indexOf(label));
  const examples = { inputs: records.map(({ text }) => text), labels };
  return { classes, train: examples, valid: examples };
}
