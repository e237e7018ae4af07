import { describe, expect, it } from 'vitest';
import { OuterStep } from '../../../../src/training/joint/outer-step.ts';

const weights = (...values: number[]): Float32Array => Float32Array.from(values);
const none = new Uint8Array(2);

function applied(step: OuterStep, change: Float32Array, buffers = none): number[] {
  step.apply(change, buffers);
  return Array.from(change);
}

describe('the outer step', () => {
  it('is the mean change at rate 1 without momentum', () => {
    const step = new OuterStep({ rate: 1, momentum: 0 });
    expect(applied(step, weights(2, 3))).toEqual([2, 3]);
    expect(applied(step, weights(-1, 4))).toEqual([-1, 4]);
  });

  it('goes on with the momentum of earlier rounds (DiLoCo, algorithm 1)', () => {
    const step = new OuterStep({ rate: 0.5, momentum: 0.5 });
    expect(applied(step, weights(2))).toEqual([1.5]); // d = 2, v = 2: 0.5 · (2 + 0.5 · 2)
    expect(applied(step, weights(2))).toEqual([0.5 * (2 + 0.5 * 3)]); // v = 0.5 · 2 + 2
  });

  it('takes the mean of running statistics as it is', () => {
    const step = new OuterStep({ rate: 0.5, momentum: 0.5 });
    expect(applied(step, weights(2, 2), Uint8Array.of(0, 1))).toEqual([1.5, 2]);
  });
});
