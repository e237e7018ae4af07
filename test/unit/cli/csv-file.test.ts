import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { hasSentences, readCsv } from '../../../src/cli/terminal/csv-file.ts';
import { BadData } from '../../../src/errors/errors.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'rafiki-csv-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(text: string | Buffer): string {
  const file = path.join(folder, 'file.csv');
  writeFileSync(file, text);
  return file;
}
const typeOf = (...values: string[]): string | undefined =>
  readCsv(fileOf(['x,y', ...values.map((it) => `${it},1`)].join('\n')))[0]?.type;

describe('the type of a column', () => {
  test.each([
    ['bigint', ['1', '-20', '0', '']],
    ['numeric', ['1', '12345678901234567890']],
    ['float8', ['1', '2.5', '-1e6', '.5']],
    ['boolean', ['true', 'FALSE']],
    ['date', ['2026-11-29', '1999-01-01', '2000-02-29', '2028-02-29']],
    ['timestamp', ['2026-11-29 10:00', '2026-11-29T10:00:05.5']],
    ['timestamptz', ['2026-11-29T10:00:05.5Z', '2026-11-29 10:00+02']],
    ['text', ['2026-11-29 10:00', '2026-11-29T10:00:05.5Z']],
    ['text', ['+491701234567', '+491701234568']],
    ['text', ['1', 'two']],
  ])('is %s for %j', (type, values) => {
    expect(typeOf(...values)).toBe(type);
  });

  test.each([
    ['007'],
    ['0123.5'],
    ['2026-02-29'],
    ['1900-02-29'],
    ['0000-01-01'],
    ['2026-11-29 24:00'],
    ['+49 30 1234'],
    ['1,000'],
    ['12345678901234567890x'],
    ['2026-13-45'],
    ['NaN'],
  ])('is text for %s: a code, not a number', (value) => {
    expect(typeOf(`"${value}"`)).toBe('text');
  });

  test('is text if no row has a value', () => {
    expect(typeOf('', '')).toBe('text');
  });
});

test('texts with quotes, line breaks and a byte order mark are read, and empty fields are null', () => {
  const [text, label] = readCsv(fileOf('\uFEFFtext,label\n"a ""b""\nc",\n,yes\n'));
  expect(text).toEqual({ name: 'text', type: 'text', values: ['a "b"\nc', null] });
  expect(label?.values).toEqual([null, 'yes']);
});

test('sentences are told from categories by their length', () => {
  const [body, job] = readCsv(fileOf(`body,job\n${'a long sentence about a film,cook\n'.repeat(3)}`));
  expect([body, job].map((column) => column !== undefined && hasSentences(column))).toEqual([true, false]);
});

test.each([
  ['', 'rows'],
  ['a,b\n', 'header'],
  ['a,a\n1,2\n', 'header'],
  ['a,\n1,2\n', 'header'],
  ['a,b\n1\n', 'CSV'],
])('a file %j is refused', (text) => {
  expect(() => readCsv(fileOf(text))).toThrow(BadData);
});

test('a file in another encoding is refused, not read as replacement characters', () => {
  expect(() => readCsv(fileOf(Buffer.from('name,x\ncaf\xe9,1\n', 'latin1')))).toThrow(/not valid UTF-8/);
});

test.each([
  ['label;body\nham;1,5\n', 'semicolons'],
  ['label\tbody\nham\thello\n', 'tabs'],
])('another separator than the comma is named: %j', (text, name) => {
  expect(() => readCsv(fileOf(text))).toThrow(
    expect.objectContaining({ sqlstate: '22000', detail: expect.stringContaining(name) }),
  );
});
