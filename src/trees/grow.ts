import type { Workspace } from './kernels/workspace.ts';
import type { BoostingSettings } from './settings.ts';
import type { DerivativeSums, Split, SplitFinder } from './split.ts';
import { leftBins, type Tree } from './tree.ts';
import { TreeBuilder } from './tree-builder.ts';

/**
 * Arrays of integers to be summed over all shares of the rows, element by element; it continues with the sums, which are its own from then
 * on. If all rows are in one share, they are the same arrays.
 */
export type SumExchange<T> = Generator<Float64Array[], T, readonly Float64Array[]>;

/** Runs an exchange of which all rows are here. */
export function alone<T>(exchange: SumExchange<T>): T {
  let step = exchange.next();
  while (!step.done) step = exchange.next(step.value);
  return step.value;
}

/** A leaf's node, and its rows in the workspace's order. */
export interface GrownLeaf {
  node: number;
  from: number;
  to: number;
}

export interface GrownTree {
  tree: Tree;
  leaves: readonly GrownLeaf[];
}

interface OpenLeaf extends GrownLeaf {
  depth: number;
  sums: DerivativeSums;
  /** Of the histogram of the rows here; −1: none. */
  slot: number;
  /** The histogram of all rows. */
  all: Float64Array;
  split: Split | undefined;
}

export interface Growth {
  work: Workspace;
  finder: SplitFinder;
  settings: BoostingSettings;
  /** Features that may be split. */
  features: Int32Array;
  gradientUnit: number;
  hessianUnit: number;
}

/**
 * Grows a tree from the first `count` rows of the workspace's order: of the leaves with the best splits `leavesAtOnce` at a
 * time, until there are `maxLeaves`. A split costs one pass over the rows of its smaller side; the other side's histogram is the
 * difference.
 */
export function* growTree(growth: Growth, count: number): SumExchange<GrownTree> {
  const { settings } = growth;
  const root = yield* rootOf(growth, count);
  const tree = new TreeBuilder(settings, root.sums);
  const slots = Array.from({ length: settings.maxLeaves - 1 }, (_, i) => i + 1);
  const leaves: GrownLeaf[] = [];
  let open = [root];
  for (;;) {
    const final = open.filter(({ split }) => split === undefined);
    leaves.push(...final);
    slots.push(...final.flatMap(({ slot }) => (slot < 0 ? [] : [slot])));
    open = open.filter(({ split }) => split !== undefined).sort(byGain);
    const room = settings.maxLeaves - leaves.length - open.length;
    const chosen = open.splice(0, Math.min(room, settings.leavesAtOnce));
    if (chosen.length === 0) break;
    const pairs = chosen.map((leaf) => divide(growth, tree, leaf));
    if (room > chosen.length) yield* findSplits(growth, pairs, slots);
    open.push(...pairs.flatMap(({ left, right }) => [left, right]));
  }
  return { tree: tree.finish(), leaves: [...leaves, ...open] };
}

/** Of equal gains the older leaf. */
const byGain = (a: OpenLeaf, b: OpenLeaf): number =>
  (b.split as Split).gain - (a.split as Split).gain || a.node - b.node;

function* rootOf({ work, finder, features, ...growth }: Growth, count: number): SumExchange<OpenLeaf> {
  work.build([{ from: 0, to: count, slot: 0 }]);
  const [all] = (yield [work.histogram(0)]) as [Float64Array];
  let [gradient, hessian] = [0, 0];
  for (let bin = 0; bin < (work.table.offsets[1] as number); bin++) {
    gradient += all[2 * bin] as number;
    hessian += all[2 * bin + 1] as number;
  }
  const sums = { gradient: gradient * growth.gradientUnit, hessian: hessian * growth.hessianUnit };
  return { node: 0, from: 0, to: count, depth: 0, sums, slot: 0, all, split: finder.find(all, sums, features) };
}

interface Pair {
  parent: OpenLeaf;
  left: OpenLeaf;
  right: OpenLeaf;
}

function divide({ work }: Growth, tree: TreeBuilder, parent: OpenLeaf): Pair {
  const split = parent.split as Split;
  const [left, right] = tree.split(parent.node, split);
  const middle = work.partition(parent.from, parent.to, split.feature, leftBins(split));
  const child = { ...parent, depth: parent.depth + 1, split: undefined };
  return {
    parent,
    left: { ...child, node: left, to: middle, sums: split.left, slot: -1 },
    right: { ...child, node: right, from: middle, sums: split.right },
  };
}

/** Only the left sides' histograms are exchanged; a share whose right side is smaller gets its left one as a difference, too. */
function* findSplits(
  { work, finder, settings, features }: Growth,
  pairs: readonly Pair[],
  slots: number[],
): SumExchange<void> {
  const grown = pairs.filter(({ left }) => settings.maxDepth === 0 || left.depth < settings.maxDepth);
  const jobs = grown.map(({ parent, left, right }) => {
    const [small, large] = left.to - left.from <= right.to - right.from ? [left, right] : [right, left];
    [small.slot, large.slot] = [slots.pop() as number, parent.slot];
    return { small, large };
  });
  work.build(jobs.map(({ small }) => small));
  for (const { small, large } of jobs) subtract(work.histogram(large.slot), work.histogram(small.slot));
  const own = grown.map(({ left }) => work.histogram(left.slot));
  if (own.length === 0) return;
  const summed = yield own;
  for (const [i, { parent, left, right }] of grown.entries()) {
    left.all = summed[i] as Float64Array;
    // With all rows here, the parent's histogram has become the larger side's.
    if (left.all === own[i]) right.all = work.histogram(right.slot);
    else subtract(parent.all, left.all); // which is the right side's, too
    for (const leaf of [left, right]) leaf.split = finder.find(leaf.all, leaf.sums, features);
  }
}

function subtract(from: Float64Array, other: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i] = (from[i] as number) - (other[i] as number);
}
