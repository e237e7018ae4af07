import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { averagePrecision, type Detection, intersectionOverUnion } from '../../../src/domain/average-precision.ts';
import type { Box } from '../../../src/domain/task.ts';

interface PrecisionCase {
  actual: Box[][];
  found: Detection[][];
  /** By overlap, one for each class. */
  expected: Record<string, (number | null)[]>;
}

const cases: PrecisionCase[] = JSON.parse(
  readFileSync(new URL('./average-precision/cases.json', import.meta.url), 'utf8'),
) as PrecisionCase[];

const box = (x: number, y: number, w: number, h: number, label = 0): Box => ({ label, x, y, w, h });
const sure = (of: Box, score: number): Detection => ({ ...of, score });

describe('averagePrecision', () => {
  it.each(cases.map((one, i) => [i, one] as const))('agrees with voc_ap.py on random scenes %i', (_, one) => {
    for (const [overlap, expected] of Object.entries(one.expected)) {
      expected.forEach((value, label) => {
        const own = averagePrecision(one.found, one.actual, { label, overlap: Number(overlap) });
        if (value === null) expect(own).toBeNull();
        else expect(own).toBeCloseTo(value, 10);
      });
    }
  });

  it('is the area under a curve that can be worked out by hand', () => {
    const [a, b] = [box(0, 0, 10, 10), box(20, 20, 10, 10)];
    const nowhere = box(50, 50, 10, 10);
    // hit, miss, hit: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1
    const found = [[sure(a, 0.9), sure(nowhere, 0.8), sure(b, 0.7)]];
    expect(averagePrecision(found, [[a, b]], { label: 0, overlap: 0.5 })).toBeCloseTo(0.5 * 1 + 0.5 * (2 / 3), 12);
  });

  it('counts the second box on one object as a miss', () => {
    const a = box(0, 0, 10, 10);
    const found = [[sure(a, 0.9), sure(box(0, 0, 10, 9), 0.8)]];
    expect(averagePrecision(found, [[a, box(40, 40, 10, 10)]], { label: 0, overlap: 0.5 })).toBeCloseTo(0.5, 12);
  });

  it('counts an overlap of exactly the minimum as a hit', () => {
    expect(intersectionOverUnion(box(0, 0, 10, 10), box(0, 0, 10, 5))).toBe(0.5);
    const found = [[sure(box(0, 0, 10, 5), 1)]];
    expect(averagePrecision(found, [[box(0, 0, 10, 10)]], { label: 0, overlap: 0.5 })).toBe(1);
  });

  it('is undefined for a class without objects, and 0 for one without detections', () => {
    expect(averagePrecision([[sure(box(0, 0, 1, 1), 1)]], [[]], { label: 0, overlap: 0.5 })).toBeNull();
    expect(averagePrecision([[]], [[box(0, 0, 1, 1)]], { label: 0, overlap: 0.5 })).toBe(0);
  });

  it('lies between 0 and 1, is 1 for the objects themselves, and does not mind the order of detections', () => {
    const arbitrary = fc.record({
      label: fc.nat(1),
      x: fc.integer({ min: 0, max: 40 }),
      y: fc.integer({ min: 0, max: 40 }),
      w: fc.integer({ min: 1, max: 20 }),
      h: fc.integer({ min: 1, max: 20 }),
      score: fc.double({ min: 0.01, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(arbitrary, { maxLength: 6 }),
        fc.uniqueArray(arbitrary, { maxLength: 8, selector: ({ score }) => score }),
        (objects, found) => {
          const judged = { label: 0, overlap: 0.5 };
          const value = averagePrecision([found], [objects], judged);
          expect(averagePrecision([found.toReversed()], [objects], judged)).toBe(value);
          if (value !== null) expect(value >= 0 && value <= 1).toBe(true);
        },
      ),
    );
  });
});
