import { expect, test } from 'vitest';
import { ascend } from '../../../src/advisors/gp/ascend.ts';

test('the ascent returns the best point that it visited, which is not always the last one', () => {
  const lastWasBest = [0.1, 0.7, 1.3, 2.9, -1.7].map((top) => {
    const visited: { x: number; value: number }[] = [];
    const found = ascend([{ mean: 0, low: -5, high: 5 }], ([x = 0]) => {
      const value = x <= top ? x - top : 100 * (top - x); // a slow rise, then a cliff
      visited.push({ x, value });
      return { value, gradient: Float64Array.of(x <= top ? 1 : -100) };
    });
    const best = visited.reduce((a, b) => (b.value > a.value ? b : a));
    expect([...found]).toEqual([best.x]);
    return best.x === visited.at(-1)?.x;
  });
  expect(lastWasBest).toContain(false);
});
