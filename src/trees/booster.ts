import type { RowRange } from '../domain/joint-training.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import { type BinnedTable, rowsOfTable } from './binned-table.ts';
import { treeFingerprint } from './fingerprint.ts';
import type { Forest } from './forest.ts';
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
  /** With all rows, whatever share of them is trained on here. */
  work: Workspace;
  targets: TreeTargets;
  /** Trees that exist already, from a checkpoint. */
  trees?: readonly Tree[];
}

/** G and H of rows in turn; or their weights, which are not negative, as H is. */
export type SummedOverRows = 'derivatives' | 'weights';

/** Numbers of the streams that draw rows and columns. */
const [rowStream, columnStream] = [1, 2];

const noRows: RowRange = { from: 0, to: 0 };

/**
 * Grows a forest round by round, from all rows or from a share of them; between rounds, `forest` is all that has to be stored to continue.
 * A round that is not finished leaves nothing.
 */
export class Booster {
  readonly #options: BoosterOptions;
  readonly #finder: SplitFinder;
  /** Of all rows; those that are `#known` are the forest's. */
  readonly #scores: Float64Array[];
  #trees: readonly Tree[];
  /** The rows that are trained on here. */
  #share: RowRange;
  #summed: SummedOverRows = 'derivatives';
  /** What of them has scores: nothing while the scores of a round are added. */
  #known = noRows;

  constructor(options: BoosterOptions) {
    const { settings, objective, work, trees = [] } = options;
    this.#options = options;
    this.#trees = trees;
    this.#finder = new SplitFinder({ ...work.table, ...objective }, settings);
    this.#scores = Array.from({ length: objective.outputs }, () => new Float64Array(work.table.rows));
    this.#share = { from: 0, to: work.table.rows };
  }

  get forest(): Forest {
    const { settings, objective, work } = this.#options;
    return { objective: settings.objective, features: work.table.features, base: objective.base, trees: this.#trees };
  }

  /** See {@link treeFingerprint}; computed at each call. */
  fingerprint(): string {
    return treeFingerprint(this.#options);
  }

  /** What the sums are of that a round has asked for last. */
  get summed(): SummedOverRows {
    return this.#summed;
  }

  /** Mean loss of the rows here. */
  loss(): number {
    const { objective } = this.#options;
    return objective.loss(this.#ownScores(), this.#ownTargets());
  }

  /** The rows to train on from the next round on. */
  share(range: RowRange): void {
    this.#share = range;
  }

  /** Replaces the forest by one that has the same first trees, as many as both have. */
  replaceTrees(trees: readonly Tree[]): void {
    const added = trees.slice(this.#trees.length);
    if (trees.length < this.#trees.length) this.#known = noRows;
    else addTrees(added, { table: this.#options.work.table, scores: this.#scores, range: this.#known });
    this.#trees = trees;
  }

  /** One tree for each score of a row, all from the derivatives at the start of the round. */
  *round(): SumExchange<readonly Tree[]> {
    const { settings, objective, work } = this.#options;
    const { from, to } = this.#share;
    const [scores, targets] = [this.#ownScores(), this.#ownTargets()];
    objective.prepare(scores);
    const round = this.#trees.length / objective.outputs;
    const count = this.#drawRows(round);
    const grown: Tree[] = [];
    for (let output = 0; output < objective.outputs; output++) {
      if (output > 0) this.#drawRows(round); // growing a tree reorders the rows
      objective.derivatives(output, scores, targets, work.derivatives.subarray(2 * from, 2 * to));
      const features = this.#drawColumns(this.#trees.length + output);
      const growth = { work, finder: this.#finder, settings, features, ...objective };
      this.#summed = 'derivatives';
      const result = yield* growTree(growth, count);
      this.#summed = 'weights';
      yield* this.#takeMedians(result);
      this.#known = noRows;
      this.#addScores(result, output, count);
      grown.push(result.tree);
    }
    this.#known = { from, to };
    this.#trees = [...this.#trees, ...grown];
    return grown;
  }

  /** [outputs][rows] of the share. Those that are not known are summed up from the trees, in their order, so that they are the same bits. */
  #ownScores(): Float64Array[] {
    const { work, objective } = this.#options;
    const { from, to } = this.#share;
    const known = { from: Math.max(from, this.#known.from), to: Math.min(to, this.#known.to) };
    const missing =
      known.from < known.to
        ? [
            { from, to: known.from },
            { from: known.to, to },
          ]
        : [{ from, to }];
    for (const range of missing) {
      for (const [output, own] of this.#scores.entries())
        own.fill(objective.base[output] as number, range.from, range.to);
      addTrees(this.#trees, { table: work.table, scores: this.#scores, range });
    }
    this.#known = { from, to };
    return this.#scores.map((own) => own.subarray(from, to));
  }

  #ownTargets(): TreeTargets {
    const { values, weights } = this.#options.targets;
    const { from, to } = this.#share;
    return { values: values.subarray(from, to), ...(weights ? { weights: weights.subarray(from, to) } : {}) };
  }

  /** Places of the share's rows in the workspace's order. */
  get #rows(): Int32Array {
    const { from, to } = this.#share;
    return this.#options.work.rows.subarray(0, to - from);
  }

  /** The drawn rows come first in the workspace's order; returns how many they are. Which they are does not depend on the share. */
  #drawRows(round: number): number {
    const { settings } = this.#options;
    const { from, to } = this.#share;
    const rows = this.#rows;
    const limit = settings.rowShare * 2 ** 32;
    const seed = deriveSeed(settings.seed, rowStream, round);
    let [first, last] = [0, rows.length];
    for (let row = from; row < to; row++) {
      const drawn = settings.rowShare === 1 || mix(seed ^ row) < limit;
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
    const medians = yield* leafMedians({ ...grown, rows: this.#rows, derivatives: work.derivatives, residual });
    for (const [i, { node }] of grown.leaves.entries())
      grown.tree.value[node] = settings.learningRate * (medians[i] as number);
  }

  /** Rows that were not drawn have to find their leaves. */
  #addScores({ tree, leaves }: GrownTree, output: number, count: number): void {
    const rows = this.#rows;
    const scores = this.#scores[output] as Float64Array;
    for (const { node, from, to } of leaves) {
      const value = tree.value[node] as number;
      for (let i = from; i < to; i++) {
        const row = rows[i] as number;
        scores[row] = (scores[row] as number) + value;
      }
    }
    if (count < rows.length) addTree(tree, this.#options.work.table, scores, rows.subarray(count));
  }
}

interface RowScores {
  table: BinnedTable;
  /** [outputs][rows of the table]. */
  scores: readonly Float64Array[];
  range: RowRange;
}

/** Adds the answers of whole rounds of trees for a range of the rows. */
function addTrees(trees: readonly Tree[], { table, scores, range: { from, to } }: RowScores): void {
  if (from >= to) return;
  const part = rowsOfTable(table, { from, to });
  for (const [i, tree] of trees.entries())
    addTree(tree, part, (scores[i % scores.length] as Float64Array).subarray(from, to));
}

/** A 32-bit hash of a 32-bit number (the finaliser of MurmurHash3). */
function mix(word: number): number {
  let h = word >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
