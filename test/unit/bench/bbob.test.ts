import { describe, expect, test } from 'vitest';
import { bbob, FUNCTIONS } from '../../../bench/tuning/bbob/functions.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const numbers = Array.from({ length: FUNCTIONS }, (_, i) => i + 1);

describe.each(numbers)('BBOB function f%i', (number) => {
  test.each([2, 5, 10])('is minimal at its optimum, inside the box, in %i dimensions', (dimensions) => {
    for (const seed of [1, 2, 3]) {
      const { optimum, value } = bbob(number, dimensions, seed);
      const min = value(optimum);
      expect(Math.abs(min)).toBeLessThan(1e-6);
      for (const each of optimum) expect(Math.abs(each)).toBeLessThanOrEqual(5);
      const rng = createRng(seed);
      for (let i = 0; i < 200; i++) {
        const anywhere = optimum.map(() => 10 * rng.uniform() - 5);
        const near = optimum.map((each) => each + 1e-3 * rng.normal());
        expect(value(anywhere)).toBeGreaterThan(min);
        expect(value(near)).toBeGreaterThanOrEqual(min - 1e-9);
      }
    }
  });
});
