import type { BinnedTable } from './binned-table.ts';
import type { FeatureBins } from './feature-bins.ts';

/** Words of a set of bins. */
export const setWords = 8;

/** A grown tree, as typed arrays of one entry a node; node 0 is the root. */
export interface Tree {
  /** −1: a leaf. */
  feature: Int32Array;
  /** Of numbers, the last bin that goes left; of categories, the number of the set of bins that go left. */
  split: Int32Array;
  left: Int32Array;
  right: Int32Array;
  /** 1: missing values, which are bin 0, go left. */
  missingLeft: Uint8Array;
  /** What a leaf adds to a score. */
  value: Float32Array;
  /** Sum of second derivatives of the training rows that came through. */
  cover: Float32Array;
  /** Sets of bins, `setWords` words each. */
  sets: Uint32Array;
}

/** How rows are divided: by the last bin that goes left, or by the set of them. */
export interface Division {
  bin: number;
  /** Of categories, `setWords` words. */
  set: Uint32Array | undefined;
  missingLeft: boolean;
}

/** Whether rows with this bin go left. */
export function goesLeft({ bin: last, set, missingLeft }: Division, bin: number): boolean {
  if (bin === 0) return missingLeft;
  return set ? isInSet(set, bin) : bin <= last;
}

/** For each of 256 bins, 1 if it goes left. */
export function leftBins(division: Division): Uint8Array {
  const left = new Uint8Array(256);
  for (let bin = 0; bin < 256; bin++) left[bin] = Number(goesLeft(division, bin));
  return left;
}

/** How a node that is no leaf divides its rows. */
export function divisionAt({ split, missingLeft, sets }: Tree, node: number, categorical: boolean): Division {
  const bin = split[node] as number;
  const set = categorical ? sets.subarray(bin * setWords, (bin + 1) * setWords) : undefined;
  return { bin, set, missingLeft: missingLeft[node] === 1 };
}

/** How many nodes the tree has in an exported file, where a split of categories has one for each of those it names. */
export function exportedNodes(tree: Tree, features: readonly FeatureBins[]): number {
  let nodes = 0;
  for (const [node, f] of tree.feature.entries()) {
    const { categorical, edges } = features[f] ?? { categorical: false, edges: [] };
    nodes += categorical ? namedCategories(edges, divisionAt(tree, node, true)).length : 1;
  }
  return nodes;
}

/** The categories of a split that are named: missing values and unknown ones equal none, and so take the other side. */
export const namedCategories = (edges: ArrayLike<number>, { set, missingLeft }: Division): number[] =>
  Array.from(edges).filter((_, i) => set !== undefined && isInSet(set, i + 1) !== missingLeft);

const isInSet = (set: Uint32Array, bin: number): boolean => (((set[bin >> 5] as number) >>> (bin & 31)) & 1) === 1;

/** Adds the tree's answer for each row to `scores`. */
export function addTree(tree: Tree, table: BinnedTable, scores: Float64Array, rows?: Int32Array): void {
  const width = table.features.length;
  const { feature, left, right, value } = tree;
  const tables = Array.from(feature, (f, node) =>
    f < 0 ? undefined : leftBins(divisionAt(tree, node, table.features[f]?.categorical ?? false)),
  );
  const count = rows?.length ?? table.rows;
  for (let i = 0; i < count; i++) {
    const row = rows ? (rows[i] as number) : i;
    let node = 0;
    for (let goesLeft = tables[0]; goesLeft !== undefined; goesLeft = tables[node]) {
      const bin = table.bins[row * width + (feature[node] as number)] as number;
      node = (goesLeft[bin] === 1 ? left[node] : right[node]) as number;
    }
    scores[row] = (scores[row] as number) + (value[node] as number);
  }
}
