import fc from 'fast-check';
import { expect, test } from 'vitest';
import { knobAxis } from '../../../src/dashboard/charts/knob-scale.ts';
import {
  axisTexts,
  extent,
  linearScale,
  lonePoints,
  scoreExtent,
  stepText,
  ticks,
  timeTicks,
} from '../../../src/dashboard/charts/scales.ts';
import { shadesOf } from '../../../src/dashboard/charts/shades.ts';
import { duration, knobValue, literal, significant } from '../../../src/dashboard/format.ts';

test('ticks are round, ascending, within their ends, and about as many as wanted', () => {
  const ends = fc.tuple(
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
  );
  fc.assert(
    fc.property(ends, fc.integer({ min: 2, max: 10 }), ([from, size], wanted) => {
      const to = from + size;
      const found = ticks(from, to, wanted);
      const slack = size * 1e-6;
      expect(found.length).toBeGreaterThan(0);
      expect(found.length).toBeLessThanOrEqual(wanted + 1);
      found.forEach((tick, i) => {
        expect(tick).toBeGreaterThanOrEqual(from - slack);
        expect(tick).toBeLessThanOrEqual(to + slack);
        if (i > 0) expect(tick).toBeGreaterThan(found[i - 1] as number);
      });
    }),
    { examples: [[[5e-6, 4000], 2]] },
  );
});

test('an extent is never empty, and a scale reaches both its ends', () => {
  expect(extent([])).toEqual([0, 1]);
  expect(extent([null, 3, 2, undefined, Number.NaN])).toEqual([2, 3]);
  const [low, high] = extent([5, 5]);
  expect(low).toBeLessThan(5);
  expect(high).toBeGreaterThan(5);
  expect([0, 10].map(linearScale(0, 10, 100, 0))).toEqual([100, 0]);
});

test('a knob that is the same everywhere has no axis; lists keep their order, ranges their logarithm', () => {
  expect(knobAxis({ knob: 'k', domain: { min: 0, max: 1 }, values: [0.5, 0.5] })).toBeUndefined();
  const list = knobAxis({ knob: 'k', domain: { list: [16, 32, 64] }, values: [64, 16, null] });
  expect(list).toMatchObject({ shares: [0.75, 0.25, null], marks: [{ text: '16' }, { text: '64' }] });
  const range = knobAxis({ knob: 'k', domain: { min: 1, max: 1000, log: true }, values: [1, 10, 100] });
  expect(range?.shares.map((share) => share?.toFixed(6))).toEqual(['0.000000', '0.500000', '1.000000']);
});

test('times have two units at most, and texts are literals of SQL', () => {
  expect([null, 3.12, 59.6, 61, 3_600, 93_784].map((s) => duration(s))).toEqual([
    '–',
    '3.1 s',
    '1 min',
    '1 min 1 s',
    '1 h',
    '1 d 2 h',
  ]);
  expect(literal("O'Neil")).toBe("'O''Neil'");
  expect([0.000123456, 3, 'relu', true].map(knobValue)).toEqual(['0.000123', '3', 'relu', 'true']);
});

test('numbers of an axis are told apart, with no more digits than that needs', () => {
  expect(axisTexts([0.9951, 0.9957, 0.9963])).toEqual(['0.9951', '0.9957', '0.9963']);
  expect(axisTexts([20_001, 20_004])).toEqual(['20,001', '20,004']);
  expect(axisTexts([0, 0.25, 0.5])).toEqual(['0.00', '0.25', '0.50']);
  expect(axisTexts([-0.1, 0, 0.1])).toEqual(['-0.1', '0.0', '0.1']);
  expect(stepText(-1e-12, 0.1)).toBe('0.0');
  const ends = fc.tuple(
    fc.double({ min: -1e8, max: 1e8, noNaN: true }),
    fc.double({ min: 1e-4, max: 1e7, noNaN: true }),
  );
  fc.assert(
    fc.property(ends, fc.integer({ min: 2, max: 8 }), ([from, size], wanted) => {
      const found = axisTexts(ticks(from, from + size, wanted));
      expect(new Set(found).size).toBe(found.length);
      const thirds = axisTexts([from, from + size / 2, from + size]);
      expect(new Set(thirds).size).toBe(3);
    }),
  );
});

test('an axis of shares does not leave 0 and 1', () => {
  expect(scoreExtent([1, 1])).toEqual([0.98, 1]);
  expect(scoreExtent([0, null])).toEqual([0, 0.02]);
  expect(scoreExtent([-3, -3])[0]).toBeLessThan(-3);
  expect(scoreExtent([0.5, 0.75])).toEqual([0.5, 0.75]);
});

test('marks of a whole-number knob are whole, and those of a narrow range differ', () => {
  const marks = (values: number[], log = false) =>
    knobAxis({ knob: 'k', domain: { min: 0, max: 10, log }, values })?.marks;
  expect(marks([2, 3])).toEqual([
    { share: 0, text: '2' },
    { share: 1, text: '3' },
  ]);
  expect(marks([1, 2, 4])?.map(({ text }) => text)).toEqual(['1', '3', '4']);
  expect(marks([0.50001, 0.50002])?.map(({ text }) => text)).toEqual(['0.500010', '0.500015', '0.500020']);
});

test('equal scores have one shade, and none is best if all are equal', () => {
  expect(shadesOf([0.5, 0.5, null], 3)).toEqual({ groups: [[0, 1], [], []], bestFrom: undefined });
  expect(shadesOf([], 2)).toEqual({ groups: [[], []], bestFrom: undefined });
  const scores = fc.array(fc.option(fc.integer({ min: 0, max: 5 })), { maxLength: 40 });
  fc.assert(
    fc.property(scores, (given) => {
      const { groups, bestFrom } = shadesOf(given, 6);
      const shadeOf = new Map<number, number>();
      let least = -1;
      groups.forEach((group, shade) => {
        for (const place of group) {
          const score = given[place] as number;
          expect(shadeOf.get(score) ?? shade).toBe(shade);
          shadeOf.set(score, shade);
          expect(score).toBeGreaterThanOrEqual(least);
          least = score;
        }
      });
      expect(groups.flat().length).toBe(given.filter((score) => score !== null).length);
      if (bestFrom !== undefined) expect(shadeOf.get(Math.max(...shadeOf.keys()))).toBe(5);
    }),
  );
});

test('a value between gaps is a point of its own', () => {
  expect(lonePoints([null, 3, null, 1, 2, null, 5])).toEqual([1, 6]);
  expect(lonePoints([7])).toEqual([0]);
});

test('times below lanes are whole minutes, hours and days, and as few as there is room for', () => {
  expect(timeTicks(20_000, 4)).toEqual([0, 7200, 14_400]);
  expect(timeTicks(90, 5)).toEqual([0, 30, 60, 90]);
  for (const endS of [1, 7, 61, 3599, 90_000, 1e7]) {
    for (const most of [1, 2, 5, 9]) {
      const found = timeTicks(endS, most);
      expect([endS, most, found.length <= most + 1, found.length > 0]).toEqual([endS, most, true, true]);
    }
  }
});

test('numbers of any size have significant digits', () => {
  expect([284_484.53, -14_870.5, 0.5, 3, 1.23456789, 0.000123456, null].map((value) => significant(value))).toEqual([
    ...['284,485', '-14,870.5', '0.500', '3', '1.23457', '0.000123', '–'],
  ]);
});
