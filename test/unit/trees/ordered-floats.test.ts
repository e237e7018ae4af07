import fc from 'fast-check';
import { expect, it } from 'vitest';
import { floatBits, orderedBits, sortFloats } from '../../../src/trees/ordered-floats.ts';

const floats = fc.array(fc.float({ noNaN: true }), { maxLength: 300 });

it('numbers are sorted as TypedArray.sort does, infinities and zeros of both signs included', () => {
  fc.assert(
    fc.property(floats, (values) => {
      const within = Float32Array.of(5, ...values, -5).subarray(1, values.length + 1); // not at its buffer's start
      expect(sortFloats(within)).toEqual(Float32Array.from(values).sort());
    }),
  );
});

it('ordered bits lead back to the bits of the number', () => {
  fc.assert(fc.property(fc.nat(0xffffffff), (bits) => void expect(floatBits(orderedBits(bits))).toBe(bits)));
});
