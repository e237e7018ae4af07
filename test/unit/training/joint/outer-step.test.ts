import { describe, expect, it } from 'vitest';
import { OuterStep } from '../../../../src/training/joint/outer-step.ts';

const weights = (...values: number[]): Float32Array => Float32Array.from(values);
const none = new Uint8Array(2);

describe('the outer step', () => {
  it('is the workers’ mean, each weighted by its rows, at rate 1 without momentum', () => {
    const step = new OuterStep({ rate: 1, momentum: 0 });
    const workers = [
      { weights: weights(1, 4), rows: 3 },
      { weights: weights(5, 0), rows: 1 },
    ];
    expect(Array.from(step.next(weights(9, 9), workers, none))).toEqual([2, 3]);
  });

  it('is the very weights of a worker alone', () => {
    const own = weights(0.1, 1 / 3);
    expect(new OuterStep({ rate: 1, momentum: 0 }).next(weights(0, 0), [{ weights: own, rows: 7 }], none)).toBe(own);
  });

  it('goes on with the momentum of earlier rounds (DiLoCo, algorithm 1)', () => {
    const step = new OuterStep({ rate: 0.5, momentum: 0.5 });
    const ahead = (from: number): { weights: Float32Array; rows: number }[] => [
      { weights: weights(from + 1), rows: 1 },
      { weights: weights(from + 3), rows: 1 },
    ];
    const first = step.next(weights(0), ahead(0), none)[0]; // d = 2, v = 2: 0.5 · (2 + 0.5 · 2)
    expect(first).toBe(1.5);
    expect(step.next(weights(1.5), ahead(1.5), none)[0]).toBe(1.5 + 0.5 * (2 + 0.5 * 3)); // v = 0.5 · 2 + 2
  });

  it('takes the mean of running statistics as it is', () => {
    const step = new OuterStep({ rate: 0.5, momentum: 0.5 });
    const workers = [{ weights: weights(2, 2), rows: 1 }];
    expect(Array.from(step.next(weights(0, 0), workers, Uint8Array.of(0, 1)))).toEqual([1.5, 2]);
  });
});
