import { afterEach, expect, it } from 'vitest';
import { createRng } from '../../../src/runtime/rng.ts';
import { featureBins } from '../../../src/trees/feature-bins.ts';
import { Workspace } from '../../../src/trees/kernels/workspace.ts';
import { mixedTable } from './tables.ts';

const rng = createRng(8);
const open: Workspace[] = [];
afterEach(() => open.splice(0).forEach((work) => void work.stop()));

function workspace(rows: number, options: { threads?: number; width?: number } = {}): Workspace {
  const all = mixedTable(rows).columns;
  const columns = Array.from({ length: options.width ?? all.length }, (_, f) => all[f % all.length] as (typeof all)[0]);
  const features = columns.map((column) => featureBins(column));
  const work = new Workspace(features, columns, { slots: 2, threads: options.threads ?? 1 });
  open.push(work);
  for (let i = 0; i < rows; i++) work.rows[i] = i;
  rng.shuffle(work.rows);
  // Among them the largest that a row can have, with both signs.
  for (let i = 0; i < 2 * rows; i++)
    work.derivatives[i] = Math.round((rng.uniform() - (i % 2 ? 0 : 0.5)) * 2 ** 31) >> (i % 3 ? 0 : 20);
  return work;
}

function expectedHistogram({ table, rows, derivatives }: Workspace, from: number, to: number): Float64Array {
  const width = table.features.length;
  const sums = new Float64Array(2 * (table.offsets.at(-1) as number));
  for (const row of rows.subarray(from, to)) {
    for (let f = 0; f < width; f++) {
      const entry = 2 * ((table.offsets[f] as number) + (table.bins[row * width + f] as number));
      sums[entry] = (sums[entry] as number) + (derivatives[2 * row] as number);
      sums[entry + 1] = (sums[entry + 1] as number) + (derivatives[2 * row + 1] as number);
    }
  }
  return sums;
}

it.each([1, 5, 300])('the kernel sums as a plain loop does, with %i columns', (width) => {
  const work = workspace(1000, { width });
  work.histogram(1).fill(7); // of an earlier leaf
  work.build([
    { from: 0, to: 1000, slot: 0 },
    { from: 300, to: 301, slot: 1 },
  ]);
  expect(work.histogram(0)).toEqual(expectedHistogram(work, 0, 1000));
  expect(work.histogram(1)).toEqual(expectedHistogram(work, 300, 301));
  work.build([{ from: 20, to: 20, slot: 1 }]);
  expect(work.histogram(1).every((sum) => sum === 0)).toBe(true);
});

it('threads that have started, or have not, add their parts', async () => {
  const work = workspace(100_000, { threads: 3 });
  for (let round = 0; round < 8; round++) {
    work.build([{ from: 5 * round, to: 99_999, slot: 0 }]);
    expect(work.histogram(0)).toEqual(expectedHistogram(work, 5 * round, 99_999));
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
});

it.each([1, 3])('rows are divided by %i threads, each side in its order', async (threads) => {
  const work = workspace(200_000, { threads });
  await new Promise((resolve) => setTimeout(resolve, 100)); // threads take 50 ms to start
  const goesLeft = Uint8Array.from({ length: 256 }, () => rng.below(2));
  const isLeft = (row: number): boolean => goesLeft[work.table.bins[row * 5 + 2] as number] === 1;
  const before = [...work.rows];
  const middle = work.partition(100, 199_900, 2, goesLeft);
  const divided = before.slice(100, 199_900);
  expect([...work.rows]).toEqual([
    ...before.slice(0, 100),
    ...divided.filter((row) => isLeft(row)),
    ...divided.filter((row) => !isLeft(row)),
    ...before.slice(199_900),
  ]);
  expect(middle).toBe(100 + divided.filter((row) => isLeft(row)).length);
});

it('tables above 4 GB are refused, with their size', () => {
  const values = new Float32Array(4);
  const features = Array.from({ length: 4 }, () => ({ categorical: false, count: 256, edges: new Float32Array(254) }));
  const columns = features.map(() => ({ categorical: false, values }));
  const create = () => new Workspace(features, columns, { slots: 400_000, threads: 1 });
  expect(create).toThrow('more than the 4 GB');
});
