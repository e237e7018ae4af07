import { createRng, deriveSeed } from '../runtime/rng.ts';
import { type Forest, forestScores } from './forest.ts';
import { type GrownTree, growTree, type SumExchange } from './grow.ts';
import type { Workspace } from './kernels/workspace.ts';
import { leafMedians } from './leaf-medians.ts';
import type { BoostingObjective, TreeTargets } from './objective.ts';
import type { BoostingSettings } from './settings.ts';
import { SplitFinder } from './split.ts';
import { addTree, type Tree } from './tree.ts';

export interface BoosterOptions {
  settings: BoostingSettings;
  /** Of all rows, see `createObjective`. */
  objective: BoostingObjective;
  /** With the rows that are trained on here: all, or a share of them. */
  work: Workspace;
  targets: TreeTargets;
  /** Which rows these are among all; without it, all of them. */
  ids?: Int32Array;
  /** Trees that exist already, from a checkpoint. */
  trees?: readonly Tree[];
}

/** Numbers of the streams that draw rows and columns. */
const [rowStream, columnStream] = [1, 2];

/** Grows a forest round by round; between rounds, `forest` is all that has to be stored to continue. */
export class Booster {
  readonly #options: BoosterOptions;
  readonly #finder: SplitFinder;
  readonly #scores: Float64Array[];
  #trees: readonly Tree[];

  constructor(options: BoosterOptions) {
    const { settings, objective, work, trees = [] } = options;
    this.#options = options;
    this.#trees = trees;
    this.#finder = new SplitFinder({ ...work.table, ...objective }, settings);
    this.#scores = forestScores(this.forest, work.table);
  }

  get forest(): Forest {
    const { settings, objective, work } = this.#options;
    return { objective: settings.objective, features: work.table.features, base: objective.base, trees: this.#trees };
  }

  /** Mean loss of the rows here. */
  loss(): number {
    return this.#options.objective.loss(this.#scores, this.#options.targets);
  }

  /** One tree for each score of a row, all from the derivatives at the start of the round. */
  *round(): SumExchange<readonly Tree[]> {
    const { settings, objective, work, targets } = this.#options;
    objective.prepare(this.#scores);
    const round = this.#trees.length / objective.outputs;
    const count = this.#drawRows(round);
    const grown: Tree[] = [];
    for (let output = 0; output < objective.outputs; output++) {
      if (output > 0) this.#drawRows(round); // growing a tree reorders the rows
      objective.derivatives(output, this.#scores, targets, work.derivatives);
      const features = this.#drawColumns(this.#trees.length + output);
      const growth = { work, finder: this.#finder, settings, features, ...objective };
      const result = yield* growTree(growth, count);
      yield* this.#takeMedians(result);
      this.#addScores(result, output, count);
      grown.push(result.tree);
    }
    this.#trees = [...this.#trees, ...grown];
    return grown;
  }

  /** The drawn rows come first in the workspace's order; returns how many they are. */
  #drawRows(round: number): number {
    const { settings, work, ids } = this.#options;
    const { rows } = work;
    const limit = settings.rowShare * 2 ** 32;
    const seed = deriveSeed(settings.seed, rowStream, round);
    let [first, last] = [0, rows.length];
    for (let row = 0; row < rows.length; row++) {
      const drawn = settings.rowShare === 1 || mix(seed ^ (ids ? (ids[row] as number) : row)) < limit;
      rows[drawn ? first++ : --last] = row;
    }
    return first;
  }

  /** In ascending order; at least one. */
  #drawColumns(tree: number): Int32Array {
    const { settings, work } = this.#options;
    const all = Int32Array.from(work.table.features, (_, f) => f);
    if (settings.columnShare === 1) return all;
    const rng = createRng(deriveSeed(settings.seed, columnStream, tree));
    return rng
      .shuffle(all)
      .subarray(0, Math.max(1, Math.round(settings.columnShare * all.length)))
      .sort();
  }

  *#takeMedians(grown: GrownTree): SumExchange<void> {
    const { settings, objective, work, targets } = this.#options;
    if (!objective.medians) return;
    const [scores] = this.#scores as [Float64Array];
    const residual = (row: number): number => (targets.values[row] as number) - (scores[row] as number);
    const { rows, derivatives } = work;
    const medians = yield* leafMedians({ ...grown, rows, derivatives, residual });
    for (const [i, { node }] of grown.leaves.entries())
      grown.tree.value[node] = settings.learningRate * (medians[i] as number);
  }

  /** Rows that were not drawn have to find their leaves. */
  #addScores({ tree, leaves }: GrownTree, output: number, count: number): void {
    const { rows, table } = this.#options.work;
    const scores = this.#scores[output] as Float64Array;
    for (const { node, from, to } of leaves) {
      const value = tree.value[node] as number;
      for (let i = from; i < to; i++) {
        const row = rows[i] as number;
        scores[row] = (scores[row] as number) + value;
      }
    }
    if (count < rows.length) addTree(tree, table, scores, rows.subarray(count));
  }
}

/** A 32-bit hash of a 32-bit number (the finaliser of MurmurHash3). */
function mix(word: number): number {
  let h = word >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
