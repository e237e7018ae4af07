import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import type { Box, DataSet, Examples, Task } from '../../src/domain/task.ts';
import { EnvironmentUnfit } from '../../src/errors/errors.ts';

/** Real data sets in train and valid parts, as `RAFIKI_DATA` holds them. */
export const dataSets = {
  cifar10: { task: 'image_classification', read: (part) => pictures(`cifar10/${part}.csv.gz`) },
  mr: { task: 'sentiment', read: (part) => texts(`mr/${part}.csv`) },
  trec: { task: 'text_classification', read: (part) => texts(`trec/${part}.csv`) },
  fruit: { task: 'object_detection', read: (part) => scenes(`detection/fruit/${part}.jsonl.gz`) },
  raccoon: { task: 'object_detection', read: (part) => scenes(`detection/raccoon/${part}.jsonl.gz`) },
} satisfies Record<string, { task: Task; read(part: 'train' | 'valid'): ZooRow[] }>;
export type DataName = keyof typeof dataSets;

export const isDataName = (name: string): name is DataName => Object.hasOwn(dataSets, name);

interface ZooBox extends Omit<Box, 'label'> {
  label: string;
}

export interface ZooRow {
  input: string | Uint8Array;
  label: string | ZooBox[];
}

export function readDataSet(name: DataName): DataSet {
  const { read } = dataSets[name];
  const [train, valid] = [read('train'), read('valid')];
  const labels = [...train, ...valid].flatMap(({ label }) =>
    typeof label === 'string' ? [label] : label.map((box) => box.label),
  );
  const classes = [...new Set(labels)].sort();
  return { classes, train: examplesOf(train, classes), valid: examplesOf(valid, classes) };
}

/** The rows of both parts together. */
export function readAllRows(name: DataName): { task: Task; rows: ZooRow[] } {
  const { task, read } = dataSets[name];
  return { task, rows: [...read('train'), ...read('valid')] };
}

function examplesOf(rows: readonly ZooRow[], classes: readonly string[]): Examples {
  const inputs = rows.map(({ input }) => input);
  const place = (label: string): number => classes.indexOf(label);
  const named = rows.flatMap(({ label }) => (typeof label === 'string' ? [place(label)] : []));
  if (named.length === rows.length) return { inputs, labels: Int32Array.from(named) };
  const boxes = rows.map(({ label }) => (typeof label === 'string' ? [] : label));
  return { inputs, labels: boxes.map((own) => own.map((box) => ({ ...box, label: place(box.label) }))) };
}

const texts = (name: string): ZooRow[] =>
  records(fileOf(name)).map(({ text = '', label = '' }) => ({ input: text, label }));

/** Images as Postgres writes bytea: \x and hexadecimal digits. */
const pictures = (name: string): ZooRow[] =>
  records(gunzipSync(fileOf(name))).map(({ image = '', label = '' }) => ({
    input: Buffer.from(image.slice(2), 'hex'),
    label,
  }));

function scenes(name: string): ZooRow[] {
  const lines = gunzipSync(fileOf(name)).toString().trimEnd().split('\n');
  return lines.map((line) => {
    const { image, boxes } = JSON.parse(line) as { image: string; boxes: ZooBox[] };
    return { input: Buffer.from(image, 'base64'), label: boxes };
  });
}

const records = (file: Uint8Array): Record<string, string>[] => parse(Buffer.from(file), { columns: true });

function fileOf(name: string): Buffer {
  const folder = process.env['RAFIKI_DATA'] ?? '../shared/data';
  const file = path.join(folder, name);
  if (existsSync(file)) return readFileSync(file);
  throw new EnvironmentUnfit('the data sets are not on this machine', {
    detail: `${file} is missing`,
    hint: 'Point RAFIKI_DATA at the folder that holds cifar10, mr, trec and detection.',
  });
}
