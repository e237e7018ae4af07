import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LabelledText } from '../../../src/datasets/data-file.ts';
import { countTrained, splitRows as split, trainedInputs, validationHash } from '../../../src/datasets/split.ts';
import type { DataSet } from '../../../src/domain/task.ts';
import { BadData, InvalidParameter } from '../../../src/errors/errors.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const labels = ['neg', 'pos', 'so-so'];
/** Rows in which two labels at least occur; a text may be there twice, with the same label or another. */
const rowsArbitrary = fc
  .array(fc.record({ label: fc.constantFrom(...labels), input: fc.string({ maxLength: 3 }) }), {
    minLength: 4,
    maxLength: 80,
  })
  .filter((rows) => new Set(rows.map((row) => row.label)).size > 1);
const splitRows = (rows: readonly LabelledText[], validation: number): DataSet =>
  split(rows, { task: 'text_classification', validation });
const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });

const many = (count: number): LabelledText[] =>
  Array.from({ length: count }, (_, i) => ({ label: labels[i % 2] as string, input: `text ${i}` }));
const rowsOf = ({ classes, train, valid }: DataSet): string[] =>
  [train, valid].flatMap((part) => part.inputs.map((text, i) => `${classes[Number(part.labels[i])]} ${text}`)).sort();

describe('rows that somebody chose to validate on', () => {
  const rows = [
    { label: 'neg', input: 'a', validates: false },
    { label: 'pos', input: 'b', validates: false },
    { label: 'pos', input: 'c', validates: true },
    { label: 'pos', input: 'a', validates: true },
    { label: 'so-so', input: 'd', validates: true },
  ];

  test('are those, and nothing with an input of theirs is trained on', () => {
    const { classes, train, valid } = splitRows(rows, 0.01);
    expect(train.inputs).toEqual(['b']);
    expect(valid.inputs.toSorted()).toEqual(['a', 'c', 'd']);
    expect(valid.inputs.map((input, i) => `${input} ${classes[Number(valid.labels[i])]}`).toSorted()).toEqual([
      ...['a pos', 'c pos', 'd so-so'],
    ]);
  });

  test('share a class with those to train on, of images too', () => {
    const relabelled = rows.map((row) => (row.validates ? { ...row, label: row.label.toUpperCase() } : row));
    expect(() => splitRows(relabelled, 0.01)).toThrow(InvalidParameter);
    const boxes = rows.map(({ label, input, validates }, i) => ({
      ...{ input: Uint8Array.from([i, input.length]), validates },
      label: [{ label: validates ? label.toUpperCase() : label, x: 1, y: 1, w: 1, h: 1 }],
    }));
    expect(() => split(boxes, { task: 'object_detection', validation: 0.2 })).toThrow(/share no class/);
  });
});

test('inputs that were trained on are named once each, in ascending order, the first of many', () => {
  const data = splitRows([...many(40), ...many(40)], 0.2);
  const names = trainedInputs(data);
  expect(names).toHaveLength(new Set(data.train.inputs).size);
  expect([...names]).toEqual([...names].toSorted((a, b) => (a < b ? -1 : 1)));
  expect(trainedInputs(data, 5)).toEqual(names.slice(0, 5));
  expect(countTrained([...data.train.inputs, 'unknown'], names)).toBe(data.train.inputs.length);
  expect(countTrained(data.valid.inputs, names)).toBe(0);
  expect(countTrained(data.train.inputs, trainedInputs(data, 5), 5)).toBe(data.train.inputs.length);
});

describe('splitting rows', () => {
  test('loses none and adds none', () => {
    fc.assert(
      fc.property(rowsArbitrary, share, (rows, validation) => {
        expect(rowsOf(splitRows(rows, validation))).toEqual(rows.map(({ label, input }) => `${label} ${input}`).sort());
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
      .uniqueArray(fc.record({ label: fc.constantFrom(...labels), input: fc.string() }), {
        selector: (row) => row.input,
        minLength: 6,
      })
      .filter((rows) => labels.every((label) => rows.filter((row) => row.label === label).length > 1));
    fc.assert(
      fc.property(distinct, share, (rows, validation) => {
        const { classes, train, valid } = splitRows(rows, validation);
        expect(classes).toEqual(labels);
        for (const part of [train, valid]) expect(new Set(part.labels as Int32Array)).toEqual(new Set([0, 1, 2]));
      }),
    );
  });

  test('leaves a row where it is when others come or the share grows', () => {
    const before = new Set(splitRows(many(400), 0.2).valid.inputs);
    const after = new Set(splitRows(many(800), 0.3).valid.inputs);
    expect([...before].filter((text) => !after.has(text))).toEqual([]);
  });

  const hashOf = (input: string): Buffer => createHash('sha256').update(input).digest();
  const placeOf = (input: string): number => hashOf(input).readUInt32BE(0) / 2 ** 32;
  const byPlace = (count: number): LabelledText[] => many(count).sort((a, b) => placeOf(a.input) - placeOf(b.input));

  test('validates on inputs below the share, and orders both sides by hash', () => {
    const rows = byPlace(40);
    const border = rows[10] as LabelledText; // its place is the share: it is trained on
    const { train, valid } = splitRows(rows.toReversed(), placeOf(border.input));
    expect(valid.inputs).toEqual(rows.slice(0, 10).map(({ input }) => input));
    expect(train.inputs).toEqual(rows.slice(10).map(({ input }) => input));
  });

  test('moves the input nearest to the border, and learns what is there once', () => {
    const rows = byPlace(6).map((row) => ({ ...row, label: 'pos' }));
    const inputs = rows.map(({ input }) => input);
    const once = { input: 'once', label: 'neg' };
    const none = splitRows([...rows, once], 0);
    expect(none.valid.inputs).toEqual(inputs.slice(0, 1));
    expect(none.train.inputs.toSorted()).toEqual([...inputs.slice(1), 'once'].toSorted());
    const all = splitRows([...rows, once], 1);
    expect(all.train.inputs.toSorted()).toEqual([...inputs.slice(-1), 'once'].toSorted());
    expect(all.valid.inputs).toEqual(inputs.slice(0, -1));
  });

  test('moves nothing where both sides have a class', () => {
    const [first, second, third, ...rest] = byPlace(5).map((row) => ({ ...row, label: 'pos' })) as [
      ...[LabelledText, LabelledText, LabelledText],
      ...LabelledText[],
    ];
    const twice = byPlace(5).map((row) => ({ ...row, label: 'neg' }));
    const { valid } = splitRows([first, second, third, ...rest, ...twice], placeOf(third.input));
    expect(new Set(valid.inputs)).toEqual(new Set([first.input, second.input]));
  });

  test('orders the rows of one input by label', () => {
    const rows = ['b', 'c', 'a'].flatMap((label) => [
      { label, input: 'x' },
      { label, input: 'y' },
    ]);
    const { classes, train, valid } = splitRows(rows, 0.5);
    for (const side of [train, valid]) {
      expect([...(side.labels as Int32Array)].map((label) => classes[label])).toEqual(['a', 'b', 'c']);
    }
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
          { label: 'a', input: 'x' },
          { label: 'a', input: 'y' },
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
    const hit = rows.findIndex((row) => valid.has(row.input));
    const relabelled = rows.with(hit, { ...(rows[hit] as LabelledText), label: 'so-so' });
    expect(hash(relabelled)).not.toBe(hash(rows));
    expect(hash(rows.toSpliced(hit, 1))).not.toBe(hash(rows));
    expect(hash(rows)).toBe(hash(rows.toReversed()));
  });
});

describe('splitting images with boxes', () => {
  const image = (i: number): Uint8Array => Uint8Array.from([i, i >> 8]);
  const box = { label: 'apple', x: 1, y: 2, w: 3, h: 4 };
  const rows = Array.from({ length: 60 }, (_, i) => ({
    input: image(i),
    label: i % 3 === 0 ? [] : [box, { ...box, label: i % 3 === 1 ? 'pear' : 'apple' }],
  }));
  const options = { task: 'object_detection', validation: 0.2 } as const;

  test('numbers the classes of the boxes, and keeps images without objects', () => {
    const { classes, train, valid } = split(rows, options);
    expect(classes).toEqual(['apple', 'pear']);
    const boxes = [train, valid].flatMap(({ labels }) => (ArrayBuffer.isView(labels) ? [] : labels));
    expect(boxes.filter((of) => of.length === 0)).toHaveLength(20);
    expect(boxes).toContainEqual([
      { ...box, label: 0 },
      { ...box, label: 1 },
    ]);
  });

  test('has every class on both sides, one class being enough', () => {
    const single = [1, 2, 4].map((i) => rows[i] as (typeof rows)[number]);
    const { train, valid } = split(
      single.map((row) => ({ ...row, label: [box] })),
      options,
    );
    expect([train, valid].every(({ inputs }) => inputs.length > 0)).toBe(true);
    expect(() =>
      split(
        rows.filter(({ label }) => label.length === 0),
        options,
      ),
    ).toThrow(BadData);
  });

  test('has another validation hash when a box moves', () => {
    const hash = (moved: number): string => {
      const data = rows.map((row) => ({ ...row, label: row.label.map((of) => ({ ...of, x: of.x + moved })) }));
      return validationHash(split(data, options)).toString('hex');
    };
    expect(hash(0)).toBe(hash(0));
    expect(hash(1)).not.toBe(hash(0));
  });
});

test('where all inputs are validated on, nothing is left to train on, and that is said', () => {
  const rows = ['a', 'b'].flatMap((input) => [
    { input, label: input, validates: true },
    { input, label: input, validates: false },
  ]);
  expect(() => split(rows, { task: 'sentiment', validation: 0.2 })).toThrowError('no rows are left to train on');
});

test('rows without classes are on both sides, however few they are', () => {
  for (let from = 0; from < 50; from++) {
    const rows = [1, 2, 3].map((number) => ({ label: number, input: `text ${from + number}` }));
    const { train, valid } = split(rows, { task: 'text_regression', validation: 0.2 });
    expect(train.inputs.length).toBeGreaterThan(0);
    expect(valid.inputs.length).toBeGreaterThan(0);
  }
});
