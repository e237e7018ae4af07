import { describe, expect, it } from 'vitest';
import type { Network } from '../../../../src/graph/network.ts';
import { scaleRareRows, tablesOf } from '../../../../src/training/joint/table-rows.ts';

const zeros = { kind: 'zeros' } as const;
const network = {
  parameters: {
    dense: { shape: [2], init: zeros },
    table: { shape: [3, 2], init: zeros, rowsOf: 'ids' },
    bias: { shape: [1], init: zeros },
  },
} as unknown as Network;
const workers = 4;
const stepsEach = 100;

/** Four workers' mean change is 1 everywhere; the rows of the table were used so often. */
function scaled(...uses: number[]): number[] {
  const change = new Float32Array(9).fill(1);
  scaleRareRows(change, tablesOf(network), {
    ...{ uses: Uint32Array.from(uses), steps: workers * stepsEach, workers },
  });
  return Array.from(change);
}

describe('the mean change of a table row', () => {
  it('is the sum of the changes if hardly a step used it, and the mean if every step did', () => {
    const [, , unused, , once, , always] = scaled(0, 1, workers * stepsEach);
    expect(unused).toBe(1); // whatever moved it was no step of anybody
    expect(once).toBeCloseTo(workers, 1);
    expect(always).toBe(1);
  });

  it('is as if as many of the trial’s own steps had used it in between', () => {
    const half = scaled(0, 0, (workers * stepsEach) / 2)[6];
    expect(half).toBeCloseTo((1 - 0.5 ** workers) / 0.5, 5);
  });

  it('is all that is scaled', () => {
    const [first, second, , , , , , , last] = scaled(1, 1, 1);
    expect([first, second, last]).toEqual([1, 1, 1]);
  });
});
