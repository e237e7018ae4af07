import { Float16Array } from '@petamoriken/float16';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorFeedback } from '../../../../src/training/joint/error-feedback.ts';
import { fromHalf, takeHalf } from '../../../../src/training/joint/half.ts';

const toHalf = (values: Float32Array): Uint16Array => takeHalf(values.slice());
const throughHalf = (...values: number[]): number[] => Array.from(fromHalf(toHalf(Float32Array.from(values))));

describe('half precision', () => {
  it('keeps what binary16 can hold, and rounds the rest to the nearest number', () => {
    expect(throughHalf(0, 1, -2.5, 0.0009765625, 2049, 1 / 3)).toEqual([
      0, 1, -2.5, 0.0009765625, 2048, 0.333251953125,
    ]);
  });

  it('makes the largest finite number of what is larger, and keeps NaN', () => {
    expect(throughHalf(1e6, -Infinity, 65_520)).toEqual([65_504, -65_504, 65_504]);
    expect(throughHalf(Number.NaN)).toEqual([Number.NaN]);
  });

  it('is what the library makes of any bits that are no larger', () => {
    fc.assert(
      fc.property(fc.uint32Array({ maxLength: 500 }), (bits) => {
        const values = new Float32Array(bits.buffer).map((value) => (Math.abs(value) < 65_520 ? value : 0));
        expect(toHalf(values)).toEqual(new Uint16Array(new Float16Array(values).buffer));
      }),
    );
    const ties = Float32Array.from({ length: 4096 }, (_, i) => i * 2 ** -25); // subnormal numbers and halfway between them
    expect(toHalf(ties)).toEqual(new Uint16Array(new Float16Array(ties).buffer));
  });

  it('leaves what rounding took', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true, noDefaultInfinity: true, maxLength: 50 }), (values) => {
        const rest = values.slice();
        const sent = fromHalf(takeHalf(rest));
        expect(rest).toEqual(values.map((value, i) => value - (sent[i] as number)));
      }),
    );
  });

  it('is off by at most 2⁻¹¹ of a number', () => {
    fc.assert(
      fc.property(fc.float({ min: 2 ** -14, max: 65_504, noNaN: true }), (value) => {
        expect(Math.abs((throughHalf(value)[0] as number) - value)).toBeLessThanOrEqual(value * 2 ** -11);
      }),
    );
  });
});

describe('error feedback', () => {
  it('sends in the end what it was given, however small against the precision', () => {
    const feedback = new ErrorFeedback();
    let received = 0;
    for (let i = 0; i < 1000; i++) received += fromHalf(feedback.encode(Float32Array.of(1e-8)))[0] as number;
    expect(received).toBeGreaterThan(0.9e-5); // without it nothing arrives: 1e-8 rounds to 0
    expect(received).toBeLessThan(1.1e-5);
  });

  it('sends the difference of two vectors', () => {
    const sent = fromHalf(new ErrorFeedback().encodeChange(Float32Array.of(1, -1), Float32Array.of(3, -1.5)));
    expect(Array.from(sent)).toEqual([2, -0.5]);
  });

  it('has nothing left to send after a reset', () => {
    const feedback = new ErrorFeedback();
    feedback.encode(Float32Array.of(1e-8));
    feedback.reset();
    expect(fromHalf(feedback.encode(Float32Array.of(0)))[0]).toBe(0);
  });
});
