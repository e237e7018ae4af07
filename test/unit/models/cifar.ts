import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { DataSet, Examples } from '../../../src/domain/task.ts';

const file = path.join(process.env['RAFIKI_DATA'] ?? '../shared/data', 'cifar10', 'valid.csv.gz');

export const hasCifar = existsSync(file);
if (!hasCifar) console.log(`${file} is not there: what needs photographs is skipped`);

/** The first images of CIFAR-10's validation part; each comes `copies` times in training, so that an epoch has some steps. */
export function photographs(rows: number, copies: number): DataSet {
  const lines = gunzipSync(readFileSync(file))
    .toString()
    .split('\n', rows + 1)
    .slice(1); // id,label,\x…
  const fields = lines.map((line) => line.split(','));
  const names = fields.map(([, label = '']) => label);
  const classes = [...new Set(names)].sort();
  const inputs = fields.map(([, , image = '']) => Buffer.from(image.slice(2), 'hex'));
  const labels = names.map((name) => classes.indexOf(name));
  const repeated = <Entry>(entries: Entry[]): Entry[] => Array.from({ length: copies }, () => entries).flat();
  const valid: Examples = { inputs, labels: Int32Array.from(labels) };
  return { classes, train: { inputs: repeated(inputs), labels: Int32Array.from(repeated(labels)) }, valid };
}
