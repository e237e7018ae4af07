import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { EnvironmentUnfit } from '../../src/errors/errors.ts';
import { createRng } from '../../src/runtime/rng.ts';

/** The target is the last column. Of classes it is their number in alphabetical order, of `number` a number. */
export const tableNames = {
  adult: 'classes',
  autompg: 'number',
  german: 'classes',
  housing: 'number',
  mammography: 'classes',
  phoneme: 'classes',
  segment: 'classes',
  wine: 'number',
} as const;
export type TableName = keyof typeof tableNames;

/** A table in files that all sides read: `x.f32`, [columns, rows], `y.f32`, and `fold.u8`, each row's fold. */
export interface TableFiles {
  dir: string;
  rows: number;
  columns: number;
  /** Numbers of the columns whose values are codes. */
  categorical: number[];
  /** 0: the target is a number. */
  classes: number;
  folds: number;
}

interface BenchTable {
  columns: { values: Float32Array; categorical: boolean }[];
  target: Float32Array;
  classes: number;
  fold: Uint8Array;
  folds: number;
}

/** Names of the columns, and the rows of training and validation part of a real table, as texts. */
export function readTable(name: TableName): { header: string[]; rows: string[][] } {
  const [header = [], ...rows] = (['train', 'valid'] as const).flatMap((part, i) =>
    (parse(readFileSync(fileOf(`tabular/${name}/${part}.csv`))) as string[][]).slice(i),
  );
  return { header, rows };
}

export const FOLDS = 5;

/** The fold of each row: the i-th row in the order of a seeded shuffle is in fold i mod 5. */
export function foldsOf(rows: number, seed: number): Uint8Array {
  const order = createRng(seed).shuffle(Int32Array.from({ length: rows }, (_, row) => row));
  const fold = new Uint8Array(rows);
  for (const [i, row] of order.entries()) fold[row] = i % FOLDS;
  return fold;
}

/** A real table in files, its rows in folds by seed 1. */
export function writeTable(name: TableName, dir: string): TableFiles {
  const { header, rows } = readTable(name);
  const columns = header.map((_, c) => columnOf(rows.map((row) => row[c] ?? '')));
  const target = columns.pop() as (typeof columns)[0];
  const isNumber = tableNames[name] === 'number';
  const codes = [...new Set(rows.map((row) => row.at(-1) as string))].sort();
  return write(dir, {
    columns,
    target: isNumber ? target.values : Float32Array.from(rows, (row) => codes.indexOf(row.at(-1) as string)),
    classes: isNumber ? 0 : codes.length,
    fold: foldsOf(rows.length, 1),
    folds: FOLDS,
  });
}

/**
 * Two classes by a sum of waves in ten of 28 columns, bent by ten others, with noise; fold 0, a tenth of the rows, is for
 * testing.
 */
export function writeSynthetic(rows: number, dir: string): TableFiles {
  const rng = createRng(7);
  const draw = (): number => rng.uniform() + rng.uniform() + rng.uniform() - 1.5;
  const columns = Array.from({ length: 28 }, () => ({
    categorical: false,
    values: Float32Array.from({ length: rows }, draw),
  }));
  const at = (c: number, i: number): number => columns[c]?.values[i] as number;
  const target = Float32Array.from({ length: rows }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < 10; c++) sum += Math.sin(3 * at(c, i) + c) * (1 + at(c + 10, i));
    return Number(rng.uniform() < 1 / (1 + Math.exp(-1.5 * sum)));
  });
  const fold = Uint8Array.from({ length: rows }, (_, i) => Number(i % 10 !== 0));
  return write(dir, { columns, target, classes: 2, fold, folds: 1 });
}

const isMissing = (text: string): boolean => text === '';

/** Whether all texts of a column are numbers, or missing. */
export const areNumbers = (texts: readonly string[]): boolean =>
  texts.every((text) => isMissing(text) || Number.isFinite(Number(text)));

/** Numbers as they are; other texts as codes in the order of their first row. An empty text is missing. */
function columnOf(texts: readonly string[]): { values: Float32Array; categorical: boolean } {
  if (areNumbers(texts))
    return {
      categorical: false,
      values: Float32Array.from(texts, (text) => (isMissing(text) ? Number.NaN : Number(text))),
    };
  const codes = new Map([...new Set(texts)].filter((text) => !isMissing(text)).map((text, code) => [text, code]));
  return { categorical: true, values: Float32Array.from(texts, (text) => codes.get(text) ?? Number.NaN) };
}

function write(dir: string, { columns, target, classes, fold, folds }: BenchTable): TableFiles {
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, 'x.f32'), Buffer.concat(columns.map(({ values }) => new Uint8Array(values.buffer))));
  writeFileSync(path.join(dir, 'y.f32'), new Uint8Array(target.buffer));
  writeFileSync(path.join(dir, 'fold.u8'), fold);
  const categorical = columns.flatMap((column, c) => (column.categorical ? [c] : []));
  return { dir, rows: target.length, columns: columns.length, categorical, classes, folds };
}

function fileOf(name: string): string {
  const file = path.join(process.env['RAFIKI_DATA'] ?? '../shared/data', name);
  if (existsSync(file)) return file;
  throw new EnvironmentUnfit('the tables are not on this machine', {
    detail: `${file} is missing`,
    hint: 'Point RAFIKI_DATA at the folder that holds the folder tabular.',
  });
}
