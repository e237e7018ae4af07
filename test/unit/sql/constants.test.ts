import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { sqlConstants } from '../../../src/cli/install/sql-constants.ts';
import { parseDurationMs } from '../../../src/protocol/duration.ts';
import { MAX_INPUTS, parseInputs } from '../../../src/protocol/input-array.ts';
import { checkSize } from '../../../src/protocol/request.ts';
import { checkReplySize } from '../../../src/serving/session/detail.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const folder = path.join(root, 'sql/idempotent');
const sql = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.sql'))
  .map((file) => ({ file, text: readFileSync(path.join(folder, file), 'utf8') }));

test('SQL uses each constant, by its name only', () => {
  const all = sql.map(({ text }) => text).join('\n');
  expect(Object.keys(sqlConstants).filter((name) => !all.includes(`@${name}@`))).toEqual([]);
  const { max_class_bytes: _, ...sizes } = sqlConstants; // 1 MB, also a unit
  const large = Object.values(sizes).filter((value) => value >= 2 ** 15);
  const copies = sql.flatMap(({ file, text }) =>
    large.filter((value) => new RegExp(`\\b${value}\\b`).test(text)).map((value) => `${file}: ${value}`),
  );
  expect(copies).toEqual([]);
  const { max_workers_per_trial, alive_seconds, second_search_rows } = sqlConstants;
  const small = new RegExp(
    `\\b30 days|\\b2592000\\b|\\b${max_workers_per_trial} or less|between 1 and ${max_workers_per_trial}\\b|'${alive_seconds} s'|\\b${second_search_rows};`,
  );
  const ofTokens = '85-http/10-tokens.sql'; // they are valid for 30 days, which has nothing to do with the maximum of a study
  expect(sql.filter(({ file, text }) => file !== ofTokens && small.test(text)).map(({ file }) => file)).toEqual([]);
});

describe('the server accepts', () => {
  /** The fields before the input. */
  const PREFIX_BYTES = 2000;
  const { max_text_bytes, max_image_bytes, max_image_request_bytes, part_bytes, part_rows, max_budget_days } =
    sqlConstants;

  test.each([
    ['a text of the maximum size', 'N', max_text_bytes],
    ['an array of two parts', 'A', 2 * part_bytes],
    ['an array of images of the maximum size', 'a', max_image_request_bytes],
  ])('%s', (_, verb, bytes) => {
    expect(() => checkSize(`${verb}\x1f`, bytes + PREFIX_BYTES)).not.toThrow();
  });

  test('an array of the rows of a part', () => {
    const part = `[${Array(part_rows).fill('null').join()}]`;
    expect(parseInputs(part)).toHaveLength(part_rows);
  });

  test('four times the details that SQL requests', () => {
    const rows = (4 * part_bytes) / sqlConstants.detail_bytes;
    expect(() => checkReplySize({ classes: [] }, rows)).not.toThrow();
    expect(() => checkReplySize({ classes: [] }, rows + 1)).toThrow();
  });

  test('the longest budget', () => {
    expect(parseDurationMs(`${max_budget_days} days`)).toBe(max_budget_days * 86_400_000);
  });

  test('an image of the maximum size: base64 has line breaks, which JSON writes as two characters', () => {
    const base64Bytes = Math.ceil(max_image_bytes / 57) * 78;
    expect(base64Bytes + 4).toBeLessThanOrEqual(max_image_request_bytes);
    expect(() => checkSize('a\x1f', base64Bytes + part_bytes + PREFIX_BYTES)).not.toThrow();
  });
});

describe('comments and documents repeat the constants', () => {
  const inWords = (value: number): string => value.toLocaleString('en');
  const { max_text_bytes, max_image_bytes, max_label_chars, max_classes, max_knob_values } = sqlConstants;

  test('docs/limits.md', () => {
    const text = read('docs/limits.md');
    for (const limit of [
      `| a text; an image file | ${inWords(max_text_bytes)} bytes; ${inWords(max_image_bytes)} |`,
      `| a label; the classes of a study | ${inWords(max_label_chars)} characters; ${inWords(max_classes)},`,
      `| the list of a knob | ${max_knob_values} values |`,
    ])
      expect(text).toContain(limit);
  });

  test('docs/architecture.md', () => {
    const text = read('docs/architecture.md').replace(/\s+/g, ' ');
    expect(text).toContain(`An array has at most ${inWords(MAX_INPUTS)} elements`);
    expect(text).toContain(`Budgets have at most 64 characters, and are at most ${sqlConstants.max_budget_days} days`);
  });

  test('the check of a released file, which never changes', () => {
    expect(read('sql/incremental/0021-joint-training.sql')).toContain(
      `workers_per_trial between 1 and ${sqlConstants.max_workers_per_trial})`,
    );
  });

  test.each([...sql.map(({ file }) => path.join('sql/idempotent', file)), 'docs/api.md', 'docs/architecture.md'])(
    '%s has no other size of a text or image',
    (file) => {
      const sizes = [...read(file).matchAll(/\b\d{1,3}(?:,\d{3}){2,}(?= bytes|[.;]|, and)/g)].map(([size]) => size);
      const known = [max_text_bytes, max_image_bytes].map(inWords);
      expect(sizes.filter((size) => !known.includes(size))).toEqual([]);
    },
  );
});
