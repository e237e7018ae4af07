import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ColumnValues, numbersOf, textValuesOf } from '../../../src/domain/table.ts';
import { BadData } from '../../../src/errors/errors.ts';
import { columnKind, columnKinds } from '../../../src/features/columns/registry.ts';
import { TableBuilder } from '../../../src/features/columns/table-builder.ts';
import { createDenseEncoder, denseColumns, fitDense } from '../../../src/features/dense.ts';
import { tableRows } from './table-rows.ts';

const read = (kind: string, value: unknown): unknown => columnKind(kind).read(value);

/** A table of one column with these values. */
function columnOf(kind: string, values: readonly unknown[]): ColumnValues {
  const builder = new TableBuilder([{ name: 'x', kind }]);
  for (const x of values) builder.add(JSON.stringify({ x }));
  return builder.take().columns.get('x') as ColumnValues;
}

const everyRow = (count: number): Int32Array => Int32Array.from({ length: count }, (_, row) => row);

/** The features of a column, fitted to these values, of further ones. */
function featuresOf(kind: string, fitted: readonly unknown[], given: readonly unknown[] = fitted) {
  const known = columnKind(kind);
  const state = known.fit(columnOf(kind, fitted), everyRow(fitted.length));
  return Object.fromEntries(
    known.features(state).map(({ part, values }) => [part, [...values(columnOf(kind, given), everyRow(given.length))]]),
  );
}

describe('numbers', () => {
  test.each<[unknown, number | undefined]>([
    [12, 12],
    ['12', 12],
    [' -1.5e3 ', -1500],
    ['.5', 0.5],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['', undefined],
    ['0x10', undefined],
    ['1,5', undefined],
    ['twelve', undefined],
    ['5.', 5],
    ['1e', undefined],
    [true, undefined],
    [[1], undefined],
    [{}, undefined],
  ])('%j is read as %s', (value, expected) => {
    expect(read('number', value)).toEqual(expected);
  });

  test('of any length are read in linear time', () => {
    const long = '1'.repeat(1_000_000);
    expect(read('number', `${long}x`)).toBeUndefined();
    expect(read('number', `${' '.repeat(1_000_000)}x`)).toBeUndefined();
    expect(read('interval', `P${long}`)).toBeUndefined();
    expect(read('time', `2026-11-29T00:00:00.${long}x`)).toBeUndefined();
    expect(read('number', long)).toBe(Number.POSITIVE_INFINITY);
  });

  test('are kept in single precision, NULL and NaN as NaN', () => {
    const given = [0.1, null, 'NaN', 1e39, '-1e39', '9007199254740993', 16777217];
    const numbers = numbersOf(columnOf('number', given));
    const infinity = Number.POSITIVE_INFINITY;
    expect([...numbers]).toEqual([Math.fround(0.1), Number.NaN, Number.NaN, infinity, -infinity, 2 ** 53, 2 ** 24]);
  });
});

describe('times', () => {
  const utc = (text: string): number => Date.parse(text) / 1000;

  test.each<[string, number | undefined]>([
    ['2026-11-29', utc('2026-11-29T00:00:00Z')],
    ['2026-11-29T13:14:15.5', utc('2026-11-29T13:14:15.5Z')],
    ['2026-11-29T13:14:15+02:00', utc('2026-11-29T11:14:15Z')],
    ['2026-11-29 13:14:15-05', utc('2026-11-29T18:14:15Z')],
    ['2026-11-29T00:00:00-05:30', utc('2026-11-29T05:30:00Z')],
    ['1883-11-18T12:00:00-04:56:02', utc('1883-11-18T16:56:02Z')],
    ['0044-03-15 BC', utc('-000043-03-15T00:00:00Z')],
    ['0050-01-01', utc('0050-01-01T00:00:00Z')],
    ['10000-01-01T00:00:00', utc('+010000-01-01T00:00:00Z')],
    ['5874897-12-31', 185331706992000],
    ['294276-12-31T23:59:59', 9224318015999],
    ['0005-02-29 BC', utc('-000004-02-29T00:00:00Z')],
    ['0004-02-29 BC', undefined],
    ['2024-02-29', utc('2024-02-29T00:00:00Z')],
    ['1900-02-29', undefined],
    ['infinity', Number.POSITIVE_INFINITY],
    ['-infinity', Number.NEGATIVE_INFINITY],
    ['2026-02-30', undefined],
    ['2026-13-05', undefined],
    ['2026-00-05', undefined],
    ['2026-11-29T25:00:00', undefined],
    ['2026-11-29T13:60:00', undefined],
    ['29.11.2026', undefined],
    ['yesterday', undefined],
  ])('%s', (value, expected) => {
    expect(read('time', value)).toBe(expected);
  });

  test('become days, and places in the year, the week and the day', () => {
    const monday = '2026-11-30T06:00:00Z';
    expect(featuresOf('time', [monday, null, 'infinity'])).toEqual({
      days: [Math.fround(utc(monday) / 86400), Number.NaN, Number.POSITIVE_INFINITY],
      season: [expect.closeTo(0.912, 2), Number.NaN, Number.NaN],
      weekday: [1, Number.NaN, Number.NaN],
      hour: [6, Number.NaN, Number.NaN],
    });
    expect(featuresOf('time', ['1969-12-28'])).toMatchObject({ days: [-4], weekday: [7] });
  });

  test('have no hours if all are whole days', () => {
    expect(Object.keys(featuresOf('time', ['2026-11-29', '2026-11-30', null]))).toEqual(['days', 'season', 'weekday']);
  });
});

describe('intervals', () => {
  // as PostgreSQL 18 writes them in its four styles, with extract(epoch from …)
  test.each<[string, number]>([
    ['1 year 2 mons 3 days 04:05:06.789', 37015506.789],
    ['-1 days +02:03:00', -79020],
    ['-1 years -2 mons', -36741600],
    ['00:00:00', 0],
    ['5 days', 432000],
    ['-04:05:06', -14706],
    ['00:00:03.5', 3.5],
    ['100:00:00', 360000],
    ['-00:00:00.25', -0.25],
    ['2 mons', 5184000],
    ['1 day -00:00:01', 86399],
    ['10 years -3 days', 315316800],
    ['1 mon', 2592000],
    ['@ 1 year 2 mons 3 days 4 hours 5 mins 6.789 secs', 37015506.789],
    ['@ 1 day -2 hours -3 mins ago', -79020],
    ['@ 1 year 2 mons ago', -36741600],
    ['@ 0', 0],
    ['@ 5 days', 432000],
    ['@ 4 hours 5 mins 6 secs ago', -14706],
    ['@ 3.5 secs', 3.5],
    ['@ 100 hours', 360000],
    ['@ 0.25 secs ago', -0.25],
    ['@ 2 mons', 5184000],
    ['@ 1 day -1 sec', 86399],
    ['@ 10 years -3 days', 315316800],
    ['@ 1 mon', 2592000],
    ['P1Y2M3DT4H5M6.789S', 37015506.789],
    ['P-1DT2H3M', -79020],
    ['P-1Y-2M', -36741600],
    ['PT0S', 0],
    ['P5D', 432000],
    ['PT-4H-5M-6S', -14706],
    ['PT3.5S', 3.5],
    ['PT100H', 360000],
    ['PT-0.25S', -0.25],
    ['P2M', 5184000],
    ['P1DT-1S', 86399],
    ['P10Y-3D', 315316800],
    ['P1M', 2592000],
    ['+1-2 +3 +4:05:06.789', 37015506.789],
    ['+0-0 -1 +2:03:00', -79020],
    ['-1-2', -36741600],
    ['0', 0],
    ['5 0:00:00', 432000],
    ['-4:05:06', -14706],
    ['0:00:03.5', 3.5],
    ['100:00:00', 360000],
    ['-0:00:00.25', -0.25],
    ['0-2', 5184000],
    ['+0-0 +1 -0:00:01', 86399],
    ['+10-0 -3 +0:00:00', 315316800],
    ['0-1', 2592000],
    ['-10 23:00:00', -946800],
    ['-3 4:00:00.5', -273600.5],
  ])('%s', (value, seconds) => {
    expect(read('interval', value)).toBeCloseTo(seconds, 6);
  });

  test('that are infinite are, and other texts are none', () => {
    expect(read('interval', 'infinity')).toBe(Number.POSITIVE_INFINITY);
    const others = ['', 'P', 'soon', '3 apples pie', '@', 5, 'P1.2.3D', 'P..D', '1:90', '1:00:61', '1 2 3', '1 day 2'];
    expect(others.map((value) => read('interval', value))).toEqual(others.map(() => undefined));
  });
});

describe('texts', () => {
  const jobs = [...Array(5).fill('cook'), ...Array(9).fill('clerk'), 'poet', null];

  test('are categories: NULL, rare or unseen, then the frequent ones', () => {
    expect(featuresOf('text', jobs, [null, 'poet', 'pilot', 'clerk', 'cook'])).toEqual({ '': [0, 1, 1, 2, 3] });
  });

  test('have at most as many categories as a byte has values', () => {
    const many = Array.from({ length: 100_000 }, (_, i) => `value ${i % 20_000}`);
    const kind = columnKind('text');
    const [feature] = kind.features(kind.fit(columnOf('text', many), everyRow(many.length)));
    expect(feature?.categories).toBe(255);
  });

  test('are distinguished by their letters only, whatever names objects have', () => {
    const values = ['__proto__', 'constructor', '', 'x\u2028y'];
    const { codes, texts } = textValuesOf(columnOf('text', [...values, ...values, null]));
    expect([...codes]).toEqual([0, 1, 2, 3, 0, 1, 2, 3, -1]);
    expect(texts).toEqual(values);
  });
});

describe('a row', () => {
  const columns = [
    { name: 'age', kind: 'number' },
    { name: 'member', kind: 'boolean' },
  ];
  const refused = (json: string): BadData => {
    try {
      new TableBuilder(columns).add(json);
    } catch (error) {
      if (error instanceof BadData) return error;
      throw error;
    }
    throw new Error(`${json} was read`);
  };

  test('has its columns by name, and may have more', () => {
    const builder = new TableBuilder(columns);
    builder.add('{"photo":"…","member":true,"age":28}');
    builder.add('{"age":null,"member":null}');
    const { length, columns: read } = builder.take();
    expect(length).toBe(2);
    expect(Object.fromEntries(read)).toEqual({
      age: { kind: 'number', numbers: Float32Array.of(28, Number.NaN) },
      member: { kind: 'boolean', numbers: Float32Array.of(1, Number.NaN) },
    });
    expect(builder.take().length).toBe(0);
  });

  test('without a column is an error that lists what the model reads', () => {
    const { message, detail } = refused('{"age":28,"Member":true}');
    expect(message).toBe('the input has no column "member"');
    expect(detail).toBe('The model reads age, member. The input has age, Member.');
    expect(() => new TableBuilder([{ name: '__proto__', kind: 'number' }]).add('{}')).toThrow(/no column "__proto__"/);
  });

  test('with a value of another kind is an error that shows it, and adds nothing', () => {
    const { message, detail } = refused('{"age":"old","member":true}');
    expect([message, detail]).toEqual(['column "age" cannot be read as a number', 'It is "old".']);
    const builder = new TableBuilder(columns);
    expect(() => builder.add('{"age":1,"member":"maybe"}')).toThrow(BadData);
    builder.add('{"age":2,"member":true}');
    const { columns: read } = builder.take();
    expect(Object.fromEntries(read)).toEqual({
      age: { kind: 'number', numbers: Float32Array.of(2) },
      member: { kind: 'boolean', numbers: Float32Array.of(1) },
    });
  });

  test('with a value of any depth is an error that shows what it is', () => {
    expect(refused(`{"age":${'['.repeat(100_000)}${']'.repeat(100_000)},"member":true}`).detail).toBe(
      'It is an array.',
    );
    expect(refused('{"age":{"years":28},"member":true}').detail).toBe('It is an object.');
  });

  test('with a number for a text is an error: it would be written otherwise than the text was', () => {
    expect(read('text', 2.5)).toBeUndefined();
    expect(read('text', true)).toBeUndefined();
    expect(read('text', '2.50')).toBe('2.50');
    expect(read('text', 'c0   ')).toBe('c0');
    expect(read('text', ' c0\n')).toBe(' c0\n');
    expect(read('text', '   ')).toBe('');
  });

  test('without a column and with long names does not repeat them whole', () => {
    expect(refused(`{"${'x'.repeat(1_000_000)}":1}`).detail?.length).toBeLessThan(200);
  });

  test.each(['', 'a text', '[1,2]', 'null', '"{}"', '{'])('that is %j is no object', (json) => {
    expect(refused(json).message).toBe('the model reads columns, but the input is no JSON object');
  });
});

describe('the dense matrix', () => {
  const columns = [
    { name: 'n', kind: 'number' },
    { name: 't', kind: 'text' },
  ];
  const row = (n: unknown, t: unknown): string => JSON.stringify({ n, t });
  const trained = [0, 1, 2, 3, 4, null].map((n, i) => row(n, i < 4 ? 'a' : 'rare'));
  const features = { encoder: 'dense', classes: [], state: fitDense(tableRows(columns, trained)) };
  const matrix = (inputs: string[]): number[] =>
    [...(createDenseEncoder(features).encode(inputs)['x']?.data ?? [])].map(Number);

  test('has scaled numbers, whether they are NULL, and a column per category', () => {
    expect(denseColumns(features)).toEqual({ numbers: 1, width: 2 + 3 });
    const half = Math.fround(0.5 / Math.sqrt(1 + (0.5 / 3) ** 2));
    expect(matrix([row(2, 'a'), row(3, null), row(null, 'b')])).toEqual([
      ...[0, 0, 0, 0, 1],
      ...[half, 0, 1, 0, 0],
      ...[0, 1, 0, 1, 0],
    ]);
  });

  test('has the numbers before all else, in the order of the columns', () => {
    const reversed = columns.toReversed();
    const mixed = [...reversed, { name: 'm', kind: 'number' }];
    const given = [
      '{"t":"a","n":0,"m":null}',
      '{"t":"a","n":2,"m":1}',
      '{"t":"a","n":1,"m":3}',
      '{"t":"a","n":1,"m":2}',
    ];
    const state = fitDense(tableRows(mixed, given));
    const x = createDenseEncoder({ ...features, state }).encode([
      '{"t":"a","n":1e9,"m":-1e9}',
      '{"t":null,"n":-1e9,"m":null}',
    ]);
    expect([...(x['x']?.data ?? [])].map(Number)).toEqual([...[3, -3, 0, 0, 1, 0], ...[-3, 0, 1, 0, 0, 1]]);
  });

  test('of many texts keeps their most frequent values', () => {
    const names = Array.from({ length: 400 }, (_, c) => ({ name: `c${c}`, kind: 'text' }));
    const rowOf = (value: string): string => JSON.stringify(Object.fromEntries(names.map(({ name }) => [name, value])));
    // the more of a letter, the more rows have it: i has 4, a has 12
    const letters = [...'abcdefghi'].flatMap((letter, i) => Array.from({ length: 12 - i }, () => letter));
    const many = { ...features, state: fitDense(tableRows(names, letters.map(rowOf))) };
    expect(denseColumns(many)).toEqual({ numbers: 0, width: 4000 });
    const x = createDenseEncoder(many).encode(['h', 'i', 'z'].map(rowOf))['x'];
    const first = (row: number): number[] => [...(x?.data ?? [])].map(Number).slice(row * 4000, row * 4000 + 10);
    expect(first(0)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect([first(1), first(2)]).toEqual([first(2), [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]]);
  });

  test('stays within bounds whatever numbers come', () => {
    fc.assert(
      fc.property(fc.double(), (n) => {
        const value = Number.isFinite(n) ? n : String(n);
        for (const entry of matrix([row(value, 'a')])) expect(Math.abs(entry)).toBeLessThanOrEqual(3);
      }),
    );
    expect(matrix([row('-Infinity', 'a')])[0]).toBe(-3);
  });

  test('is the same from JSON and from rows of a table', () => {
    const rows = tableRows(columns, trained);
    expect(createDenseEncoder(features).encode(rows.toReversed())).toEqual(
      createDenseEncoder(features).encode(trained.toReversed()),
    );
  });

  test('has nothing of a constant number', () => {
    const constant = { ...features, state: fitDense(tableRows(columns, [row(7, 'a'), row(7, 'b')])) };
    const x = createDenseEncoder(constant).encode([row(7, 'a'), row('Infinity', 'a'), row(-5, 'a')])['x'];
    expect([...(x?.data ?? [])].map(Number)).toEqual([0, 0, 1, 0, 0, 1, 0, 0, 1]);
  });
});

test('a type of Postgres is read by one kind', () => {
  const types = columnKinds.flatMap((kind) => [...kind.types, ...(kind.categories ?? [])]);
  expect(new Set(types).size).toBe(types.length);
});
