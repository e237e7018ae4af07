import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type TableRule, tableBlocks } from '../../../src/datasets/table-blocks.ts';
import { type LabelledTable, readTable } from '../../../src/datasets/table-file.ts';
import { classification } from '../../../src/domain/kinds/classification.ts';
import { textValuesOf } from '../../../src/domain/table.ts';
import { BadData } from '../../../src/errors/errors.ts';

const columns = [
  { name: 'age', kind: 'number' },
  { name: 'job', kind: 'text' },
  { name: 'since', kind: 'time' },
];
const ruleOf = (onBadRow: 'error' | 'skip' = 'error'): TableRule => ({
  kind: classification,
  columns,
  onBadRow,
  skipped: { rows: 0, example: null },
});

interface GivenRow {
  label: string;
  age: number | null;
  job: string | null;
  validates?: boolean | undefined;
}

const jsonOf = ({ age, job }: GivenRow): string => JSON.stringify({ age, job, since: '1970-01-02', more: [1] });
const lineOf = (row: GivenRow): string =>
  `${JSON.stringify([row.label, jsonOf(row), ...(row.validates === undefined ? [] : [row.validates])])}\n`;

/** The bytes in pieces of this size. */
async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}

const none = { kind: 'text', codes: new Int32Array(), texts: [] };

async function blocksOf(blocks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const block of blocks) all.push(block);
  return all;
}

async function stored(text: string, { piece = 1000, rule = ruleOf() } = {}): Promise<LabelledTable> {
  const blocks = await blocksOf(tableBlocks(inPieces(Buffer.from(text), piece), rule));
  return readTable(inPieces(Buffer.concat(blocks), piece));
}

const rowArbitrary = fc.record({
  label: fc.constantFrom('yes', 'no', 'maybe 🙂'),
  age: fc.option(fc.integer({ min: -1000, max: 1000 })),
  // A text loses the spaces at its end, as the padding of a char(n)
  job: fc.option(fc.string({ unit: 'grapheme', maxLength: 5 }).map((job) => job.replace(/ +$/, ''))),
  validates: fc.constantFrom(undefined, true, false),
});

test('reads back any rows, wherever pieces begin and end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(rowArbitrary, { maxLength: 20 }),
      fc.integer({ min: 1, max: 300 }),
      async (rows, piece) => {
        const table = await stored(rows.map(lineOf).join(''), { piece });
        expect(table.length).toBe(rows.length);
        expect(table.labels).toEqual(rows.map(({ label }) => label));
        expect([...table.flags]).toEqual(rows.map(({ validates }) => [undefined, false, true].indexOf(validates)));
        if (rows.length === 0) return;
        expect(table.columns.get('age')).toEqual({
          kind: 'number',
          numbers: Float32Array.from(rows, ({ age }) => age ?? Number.NaN),
        });
        const { codes, texts } = textValuesOf(table.columns.get('job') ?? none);
        expect(Array.from(codes, (code) => texts[code] ?? null)).toEqual(rows.map(({ job }) => job));
        expect(table.columns.get('since')).toEqual({ kind: 'time', numbers: Float64Array.from(rows, () => 86_400) });
        const hash = (row: GivenRow): bigint => createHash('sha256').update(jsonOf(row)).digest().readBigInt64BE(0);
        expect([...table.hashes]).toEqual(rows.map(hash));
      },
    ),
  );
});

test('a text loses the spaces at its end, and nothing else', async () => {
  const jobs = [' ', 'cook  ', ' cook', 'cook\t', 'cook\u00a0'];
  const table = await stored(jobs.map((job) => lineOf({ label: 'yes', age: 1, job })).join(''));
  expect(textValuesOf(table.columns.get('job') ?? none).texts).toEqual(['', 'cook', ' cook', 'cook\t', 'cook\u00a0']);
});

test('more rows than a block has are several, and a text has one number in all of them', async () => {
  const rows = Array.from({ length: 20_000 }, (_, i) => ({ label: `${i % 2}`, age: i, job: `job ${(i * 7) % 11}` }));
  const blocks = await blocksOf(tableBlocks(inPieces(Buffer.from(rows.map(lineOf).join('')), 65_536), ruleOf()));
  expect(blocks).toHaveLength(3);
  const table = await readTable(inPieces(Buffer.concat(blocks), 65_536));
  const { codes, texts } = textValuesOf(table.columns.get('job') ?? none);
  expect(texts).toHaveLength(11);
  expect(Array.from(codes, (code) => texts[code])).toEqual(rows.map(({ job }) => job));
});

test('a row that cannot be read is named, or left out', async () => {
  const good = { label: 'yes', age: 1, job: 'cook' };
  const bad = `${JSON.stringify(['no', '{"age":"old","job":"cook","since":null}'])}\n`;
  const text = [lineOf(good), bad, lineOf({ ...good, label: 'x'.repeat(1001) }), lineOf(good)].join('');
  const error = await stored(text).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BadData);
  expect(error).toMatchObject({
    message: 'column "age" cannot be read as a number',
    detail: 'Row 2 as read: It is "old".',
  });
  const rule = ruleOf('skip');
  const table = await stored(text, { rule });
  expect(table.labels).toEqual(['yes', 'yes']);
  expect(rule.skipped).toEqual({ rows: 2, example: 'Row 2 as read: It is "old".' });
});

test('of a row that is left out for its last column, no other column keeps a value', async () => {
  const lines = [1, 2, 3].map((age) => lineOf({ label: `of ${age}`, age, job: `job ${age}` }));
  const bad = `${JSON.stringify(['of 9', '{"age":9,"job":"job 9","since":"never"}'])}\n`;
  const table = await stored([lines[0], bad, lines[1], bad, lines[2]].join(''), { rule: ruleOf('skip') });
  expect(table.labels).toEqual(['of 1', 'of 2', 'of 3']);
  const { codes, texts } = textValuesOf(table.columns.get('job') ?? none);
  expect(Array.from(codes, (code) => texts[code])).toEqual(['job 1', 'job 2', 'job 3']);
  expect(table.columns.get('age')).toMatchObject({ numbers: Float32Array.of(1, 2, 3) });
});

test.each([
  ['Key (id)=(7)', 'Key (id)=(7)'],
  ['', 'Row 1 as read'],
  [`Key (id)=(${'x'.repeat(1000)})`, `Key (id)=(${'x'.repeat(190)}`],
])('a row with the name %j is called so', async (name, shown) => {
  const line = `${JSON.stringify(['no', '{"age":"old","job":"cook","since":null}', null, name])}\n`;
  await expect(stored(line)).rejects.toMatchObject({ detail: `${shown}: It is "old".` });
});

test('a row that is too long is not kept in memory, and is an error of its own', async () => {
  async function* endless(): AsyncGenerator<Buffer> {
    yield Buffer.from('["yes","{');
    for (let i = 0; i < 20; i++) yield Buffer.alloc(2 ** 20, 'x');
    yield Buffer.from(`\n${lineOf({ label: 'yes', age: 1, job: null })}`);
  }
  const rule = ruleOf('skip');
  const blocks = await blocksOf(tableBlocks(endless(), rule));
  expect((await readTable(inPieces(Buffer.concat(blocks), 100))).length).toBe(1);
  expect(rule.skipped.rows).toBe(1);
});
