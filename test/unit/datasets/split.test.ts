import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LabelledText, splitRows, validationHash } from '../../../src/datasets/split.ts';
import type { DataSet } from '../../../src/domain/task.ts';
import { BadData } from '../../../src/errors/errors.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const labels = ['neg', 'pos', 'so-so'];
/** Rows in which two labels at least occur; a text may be there twice, with the same label or another. */
const rowsArbitrary = fc
  .array(fc.record({ label: fc.constantFrom(...labels), text: fc.string({ maxLength: 3 }) }), {
    minLength: 4,
    maxLength: 80,
  })
  .filter((rows) => new Set(rows.map((row) => row.label)).size > 1);
const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });

const many = (count: number): LabelledText[] =>
  Array.from({ length: count }, (_, i) => ({ label: labels[i % 2] as string, text: `text ${i}` }));
const rowsOf = ({ classes, train, valid }: DataSet<string>): string[] =>
  [train, valid].flatMap((part) => part.inputs.map((text, i) => `${classes[part.labels[i] as number]} ${text}`)).sort();

describe('splitting rows', () => {
  test('loses none and adds none', () => {
    fc.assert(
      fc.property(rowsArbitrary, share, (rows, validation) => {
        expect(rowsOf(splitRows(rows, validation))).toEqual(rows.map(({ label, text }) => `${label} ${text}`).sort());
      }),
    );
  });

  test('keeps the rows of a text together', () => {
    fc.assert(
      fc.property(rowsArbitrary, share, (rows, validation) => {
        const { train, valid } = splitRows(rows, validation);
        const trained = new Set(train.inputs);
        expect(valid.inputs.filter((text) => trained.has(text))).toEqual([]);
      }),
    );
  });

  test('does not depend on the order of reading', () => {
    fc.assert(
      fc.property(rowsArbitrary, share, fc.integer(), (rows, validation, seed) => {
        const order = createRng(seed).shuffle(Int32Array.from(rows, (_, i) => i));
        const shuffled = Array.from(order, (i) => rows[i] as LabelledText);
        expect(splitRows(shuffled, validation)).toEqual(splitRows(rows, validation));
      }),
    );
  });

  test('puts every class with two texts on both sides', () => {
    const distinct = fc
      .uniqueArray(fc.record({ label: fc.constantFrom(...labels), text: fc.string() }), {
        selector: (row) => row.text,
        minLength: 6,
      })
      .filter((rows) => labels.every((label) => rows.filter((row) => row.label === label).length > 1));
    fc.assert(
      fc.property(distinct, share, (rows, validation) => {
        const { classes, train, valid } = splitRows(rows, validation);
        expect(classes).toEqual(labels);
        for (const part of [train, valid]) expect(new Set(part.labels)).toEqual(new Set([0, 1, 2]));
      }),
    );
  });

  test('leaves a row where it is when others come or the share grows', () => {
    const before = new Set(splitRows(many(400), 0.2).valid.inputs);
    const after = new Set(splitRows(many(800), 0.3).valid.inputs);
    expect([...before].filter((text) => !after.has(text))).toEqual([]);
  });

  test('gives validation about its share', () => {
    // 2000 of 10000 expected, deviation 40; the texts are fixed, so this holds always or never
    expect(Math.abs(splitRows(many(10_000), 0.2).valid.inputs.length - 2000)).toBeLessThan(120);
  });

  test('refuses rows with one label or none', () => {
    expect(() => splitRows([], 0.2)).toThrow(BadData);
    expect(() =>
      splitRows(
        [
          { label: 'a', text: 'x' },
          { label: 'a', text: 'y' },
        ],
        0.2,
      ),
    ).toThrow(BadData);
  });
});

describe('the hash of the validation rows', () => {
  const hash = (rows: readonly LabelledText[]): string => validationHash(splitRows(rows, 0.5)).toString('hex');

  test('changes with a label, a text, or a class', () => {
    const rows = many(50);
    const valid = new Set(splitRows(rows, 0.5).valid.inputs);
    const hit = rows.findIndex((row) => valid.has(row.text));
    const relabelled = rows.with(hit, { ...(rows[hit] as LabelledText), label: 'so-so' });
    expect(hash(relabelled)).not.toBe(hash(rows));
    expect(hash(rows.toSpliced(hit, 1))).not.toBe(hash(rows));
    expect(hash(rows)).toBe(hash(rows.toReversed()));
  });
});
