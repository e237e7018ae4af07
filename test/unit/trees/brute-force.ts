import type { BinnedTable } from '../../../src/trees/binned-table.ts';
import type { TreeTargets } from '../../../src/trees/objective.ts';
import type { BoostingSettings } from '../../../src/trees/settings.ts';

interface BestDivision {
  gain: number;
  left: number[];
  right: number[];
}

/**
 * The answers for its rows of one tree for squared error, grown leaf by leaf without histograms: of each leaf every threshold,
 * every subset of the categories, and both sides for missing values are tried.
 */
export function bruteForceAnswers(
  table: BinnedTable,
  { values }: TreeTargets,
  settings: BoostingSettings,
  base: number,
): Float64Array {
  const { l1, l2, minLeafWeight, minGain } = settings;
  const shrunk = (rows: readonly number[]): number => {
    const g = rows.reduce((sum, i) => sum + base - (values[i] as number), 0);
    return Math.sign(g) * Math.max(0, Math.abs(g) - l1);
  };
  const score = (rows: readonly number[]): number => shrunk(rows) ** 2 / (rows.length + l2);
  const binOf = (row: number, f: number): number => table.bins[row * table.features.length + f] as number;

  const best = (rows: readonly number[]): BestDivision | undefined => {
    let found: BestDivision | undefined;
    for (const [f, { categorical, count }] of table.features.entries()) {
      const sides = categorical ? subsets(count) : thresholds(count);
      for (const side of sides) {
        const left = rows.filter((row) => side(binOf(row, f)));
        const right = rows.filter((row) => !side(binOf(row, f)));
        if (Math.min(left.length, right.length) < Math.max(1, minLeafWeight)) continue;
        const gain = score(left) + score(right) - score(rows);
        if (gain > Math.max(minGain, 1e-9) && gain > (found?.gain ?? 0)) found = { gain, left, right };
      }
    }
    return found;
  };

  let leaves = [{ rows: Array.from(values, (_, i) => i), choice: undefined as BestDivision | undefined }];
  (leaves[0] as (typeof leaves)[0]).choice = best(leaves[0]?.rows ?? []);
  while (leaves.length < settings.maxLeaves) {
    const next = leaves.filter(({ choice }) => choice).sort((a, b) => (b.choice?.gain ?? 0) - (a.choice?.gain ?? 0))[0];
    if (!next?.choice) break;
    const children = [next.choice.left, next.choice.right].map((rows) => ({ rows, choice: best(rows) }));
    leaves = [...leaves.filter((leaf) => leaf !== next), ...children];
  }
  const answers = new Float64Array(values.length);
  for (const { rows } of leaves)
    for (const row of rows) answers[row] = base - (settings.learningRate * shrunk(rows)) / (rows.length + l2);
  return answers;
}

type GoesLeft = (bin: number) => boolean;

const thresholds = (count: number): GoesLeft[] =>
  Array.from({ length: count - 1 }, (_, i) => i + 1).flatMap((last) => [
    (bin) => bin !== 0 && bin <= last,
    (bin) => bin <= last,
  ]);

const subsets = (count: number): GoesLeft[] =>
  Array.from({ length: 2 ** count }, (_, subset) => (bin) => ((subset >> bin) & 1) === 1);
