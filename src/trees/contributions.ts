import type { BinnedTable } from './binned-table.ts';
import type { Forest } from './forest.ts';
import { divisionAt, goesLeft, type Tree } from './tree.ts';

/** The parts of a forest that its scores are made of. */
export type ScoringForest = Pick<Forest, 'features' | 'base' | 'trees'>;

/** Which features become known together: of each feature its player, from 0 on. */
export interface FeaturePlayers {
  of: Int32Array;
  count: number;
}

/**
 * How much each player contributes to the scores of one row: Shapley values of the expected score where the features of players outside of
 * a set are unknown, and a tree then takes both branches of a node, by their cover ("path-dependent": Lundberg et al. 2020, "From local
 * explanations to global understanding with explainable AI for trees", algorithm 2). Exact, in a time of leaves × depth² for a tree.
 */
export class ForestContributions {
  readonly #players: FeaturePlayers;
  readonly #base: Float32Array;
  readonly #walks: readonly TreeWalk[];

  /** By default each feature is a player. */
  constructor({ features, base, trees }: ScoringForest, players = eachAlone(features.length)) {
    this.#players = players;
    this.#base = base;
    const categorical = Uint8Array.from(features, (feature) => Number(feature.categorical));
    this.#walks = trees.map((tree) => new TreeWalk(tree, { categorical, players: players.of }));
  }

  /** [outputs][players + 1]: of each player, and last the expected score without any; they add up to the score. */
  ofRow({ bins }: Pick<BinnedTable, 'bins'>, row: number): Float64Array[] {
    const { of, count } = this.#players;
    const own = bins.subarray(row * of.length, (row + 1) * of.length);
    const sums = Array.from(this.#base, (start) => {
      const sum = new Float64Array(count + 1);
      sum[count] = start;
      return sum;
    });
    for (const [i, walk] of this.#walks.entries()) walk.add(own, sums[i % sums.length] as Float64Array);
    return sums;
  }
}

const eachAlone = (features: number): FeaturePlayers => ({
  of: Int32Array.from({ length: features }, (_, f) => f),
  count: features,
});

/** A path from the root: its distinct players, and of each the share of rows that would come along without knowing it, and with. */
class PlayerPath {
  readonly player: Int32Array;
  readonly zero: Float64Array;
  readonly one: Float64Array;
  /** Of subsets of the path's players, by their number: how many of their orders come along, weighted. */
  readonly weight: Float64Array;
  /** The last element. */
  end = -1;

  constructor(size: number) {
    this.player = new Int32Array(size);
    this.zero = new Float64Array(size);
    this.one = new Float64Array(size);
    this.weight = new Float64Array(size);
  }

  copyFrom({ player, zero, one, weight, end }: PlayerPath): void {
    for (let i = 0; i <= end; i++) {
      this.player[i] = player[i] as number;
      this.zero[i] = zero[i] as number;
      this.one[i] = one[i] as number;
      this.weight[i] = weight[i] as number;
    }
    this.end = end;
  }

  extend(player: number, zero: number, one: number): void {
    const end = ++this.end;
    const { weight } = this;
    this.player[end] = player;
    this.zero[end] = zero;
    this.one[end] = one;
    weight[end] = end === 0 ? 1 : 0;
    for (let i = end - 1; i >= 0; i--) {
      const own = weight[i] as number;
      weight[i + 1] = (weight[i + 1] as number) + (one * own * (i + 1)) / (end + 1);
      weight[i] = (zero * own * (end - i)) / (end + 1);
    }
  }

  /** The element of a player; −1: none. */
  placeOf(player: number): number {
    for (let i = this.end; i >= 0; i--) if (this.player[i] === player) return i;
    return -1;
  }

  /** Takes an element out, as if it had never been added. */
  unwind(at: number): void {
    const { end, weight } = this;
    const [zero, one] = [this.zero[at] as number, this.one[at] as number];
    let next = weight[end] as number;
    for (let i = end - 1; i >= 0; i--) {
      const own = weight[i] as number;
      if (one === 0) weight[i] = (own * (end + 1)) / (zero * (end - i));
      else {
        const value = (next * (end + 1)) / ((i + 1) * one);
        next = own - (value * zero * (end - i)) / (end + 1);
        weight[i] = value;
      }
    }
    for (let i = at; i < end; i++) {
      this.player[i] = this.player[i + 1] as number;
      this.zero[i] = this.zero[i + 1] as number;
      this.one[i] = this.one[i + 1] as number;
    }
    this.end--;
  }

  /** Sum of the weights that `unwind` would leave. */
  sumWithout(at: number): number {
    const { end, weight } = this;
    const [zero, one] = [this.zero[at] as number, this.one[at] as number];
    let next = weight[end] as number;
    let sum = 0;
    for (let i = end - 1; i >= 0; i--) {
      const own = weight[i] as number;
      if (one === 0) sum += (own * (end + 1)) / (zero * (end - i));
      else {
        const value = (next * (end + 1)) / ((i + 1) * one);
        next = own - (value * zero * (end - i)) / (end + 1);
        sum += value;
      }
    }
    return sum;
  }
}

/** The root's element, which is no player. */
const NONE = -1;

class TreeWalk {
  readonly #tree: Tree;
  readonly #categorical: Uint8Array;
  readonly #players: Int32Array;
  /** Of each node the share of its rows that go left. */
  readonly #leftShare: Float64Array;
  readonly #expected: number;
  /** By depth. */
  readonly #paths: readonly PlayerPath[];

  constructor(tree: Tree, { categorical, players }: { categorical: Uint8Array; players: Int32Array }) {
    this.#tree = tree;
    this.#categorical = categorical;
    this.#players = players;
    // Of the children's covers, because these are rounded and need not add up to the node's.
    this.#leftShare = Float64Array.from(tree.feature, (f, node) => {
      if (f < 0) return 0;
      const [left, right] = [
        tree.cover[tree.left[node] as number] as number,
        tree.cover[tree.right[node] as number] as number,
      ];
      return left / (left + right);
    });
    this.#expected = this.#expectedFrom(0);
    const depth = this.#depthFrom(0) + 2;
    this.#paths = Array.from({ length: depth }, () => new PlayerPath(depth));
  }

  /** Adds the contributions of a row's players, and last the expected value. */
  add(bins: Uint8Array, into: Float64Array): void {
    const last = into.length - 1;
    into[last] = (into[last] as number) + this.#expected;
    const [root] = this.#paths as [PlayerPath];
    root.end = -1;
    root.extend(NONE, 1, 1);
    this.#walk({ bins, into }, 0, 0);
  }

  /** The path of the depth leads to the node. */
  #walk(row: ExplainedRow, node: number, depth: number): void {
    const path = this.#paths[depth] as PlayerPath;
    const feature = this.#tree.feature[node] as number;
    if (feature < 0) {
      this.#addLeaf(row, path, this.#tree.value[node] as number);
      return;
    }
    const player = this.#players[feature] as number;
    const known = path.placeOf(player);
    const zero = known < 0 ? 1 : (path.zero[known] as number);
    const one = known < 0 ? 1 : (path.one[known] as number);
    if (known >= 0) path.unwind(known);
    const division = divisionAt(this.#tree, node, this.#categorical[feature] === 1);
    const isLeft = goesLeft(division, row.bins[feature] as number);
    const share = this.#leftShare[node] as number;
    const next = this.#paths[depth + 1] as PlayerPath;
    const enter = (child: number, own: number, comes: boolean): void => {
      if (own === 0 && !(comes && one > 0)) return; // no row comes here
      next.copyFrom(path);
      next.extend(player, own, comes ? one : 0);
      this.#walk(row, child, depth + 1);
    };
    enter(this.#tree.left[node] as number, zero * share, isLeft);
    enter(this.#tree.right[node] as number, zero * (1 - share), !isLeft);
  }

  #addLeaf({ into }: ExplainedRow, path: PlayerPath, value: number): void {
    for (let i = 1; i <= path.end; i++) {
      const player = path.player[i] as number;
      const difference = (path.one[i] as number) - (path.zero[i] as number);
      into[player] = (into[player] as number) + path.sumWithout(i) * difference * value;
    }
  }

  #expectedFrom(node: number): number {
    const { feature, left, right, value } = this.#tree;
    if ((feature[node] as number) < 0) return value[node] as number;
    const share = this.#leftShare[node] as number;
    return share * this.#expectedFrom(left[node] as number) + (1 - share) * this.#expectedFrom(right[node] as number);
  }

  #depthFrom(node: number): number {
    const { feature, left, right } = this.#tree;
    if ((feature[node] as number) < 0) return 0;
    return 1 + Math.max(this.#depthFrom(left[node] as number), this.#depthFrom(right[node] as number));
  }
}

interface ExplainedRow {
  bins: Uint8Array;
  into: Float64Array;
}
