import fc from 'fast-check';
import { expect, it } from 'vitest';
import { boundsOf } from '../../../src/engine/join.ts';
import { RowWindow } from '../../../src/engine/row-window.ts';

const tableRows = 50;
const steps = fc.array(fc.array(fc.nat(tableRows - 1), { maxLength: 20 }), { minLength: 1, maxLength: 5 });

it('leads every id of every step back to its row, and keeps row 0 at entry 0', () => {
  const window = new RowWindow(tableRows); // one for all runs: nothing of a run may stay behind
  fc.assert(
    fc.property(steps, (original) => {
      const ids = Int32Array.from(original.flat());
      const bounds = boundsOf(
        original.map((step) => ({ dtype: 'int32', shape: [step.length], data: Int32Array.from(step) })),
      );
      const { rows, perStep, width } = window.localise(ids, bounds);

      expect(rows[0]).toBe(0);
      expect(new Set(rows).size).toBe(rows.length);
      original.forEach((step, k) => {
        const entries = Array.from(perStep.subarray(k * width, (k + 1) * width), Number);
        const local = ids.subarray(bounds[2 * k], bounds[2 * k + 1]);
        expect(Array.from(local, (id) => rows[entries[id] as number])).toEqual(step);
        const moving = entries.filter((entry) => entry !== 0);
        expect(new Set(moving).size).toBe(moving.length);
      });
    }),
  );
});
