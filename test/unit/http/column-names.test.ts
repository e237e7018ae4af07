import { expect, test } from 'vitest';
import { checkNames, MAX_UPLOADED_COLUMNS } from '../../../src/http/upload/column-names.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `c${i}`);

test('names of columns are returned as they are', () => {
  expect(checkNames(names(MAX_UPLOADED_COLUMNS))).toEqual(names(MAX_UPLOADED_COLUMNS));
});

test.each([
  ['none', [], 'It has no columns.'],
  ['too many', names(MAX_UPLOADED_COLUMNS + 1), 'It has more than 1000 columns.'],
  ['an empty one', ['a', ''], 'The name of a column is empty or too long: "".'],
  ['one with NUL', ['a\0'], 'The name of a column is empty or too long: "a\0".'],
  ['a long one', ['ä'.repeat(32)], `The name of a column is empty or too long: "${'ä'.repeat(32)}".`],
  ['the same twice', ['a', 'b', 'a'], 'The name of a column is there twice: "a".'],
])('%s: refused', (_, given, detail) => {
  expect(() => checkNames(given)).toThrow(expect.objectContaining({ sqlstate: '22000', detail }));
});

test('a header of a million names is refused at once', () => {
  const many = names(1_000_000);
  const startedMs = performance.now();
  expect(() => checkNames(many)).toThrow('the columns of the uploaded file cannot be used');
  expect(performance.now() - startedMs).toBeLessThan(1_000); // comparing each with each would take half an hour
});
