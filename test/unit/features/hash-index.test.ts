import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HashIndex } from '../../../src/features/hash-index.ts';

it('numbers keys in the order of their first appearance, as a Map would', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.integer({ min: -50, max: 50 }),
          fc.maxSafeInteger().map((n) => n | 0),
        ),
      ),
      (keys) => {
        const index = new HashIndex(1);
        const model = new Map<number, number>();
        for (const key of keys) {
          if (!model.has(key)) model.set(key, model.size + 1);
          expect(index.add(key)).toBe(model.get(key));
        }
        for (const [key, number] of model) expect(index.get(key)).toBe(number);
        expect(Array.from(index.keys()).slice(1)).toEqual([...model.keys()]);
      },
    ),
  );
});
