import { type BinnedTable, binTable } from './binned-table.ts';
import { type Forest, forestScores } from './forest.ts';
import type { BoostingObjective, ForestRows } from './objective.ts';
import { addTree, type Tree } from './tree.ts';

/** The loss of a growing forest on validation rows, and after which of its rounds it was lowest. */
export class ValidationLosses {
  readonly #objective: BoostingObjective;
  readonly #rows: ForestRows;
  readonly #table: BinnedTable;
  readonly #scores: Float64Array[];
  #lowest = Number.POSITIVE_INFINITY;
  rounds: number;
  bestRounds: number;

  constructor(forest: Forest, objective: BoostingObjective, rows: ForestRows) {
    this.#objective = objective;
    this.#rows = rows;
    this.#table = binTable(forest.features, rows.columns);
    this.#scores = forestScores(forest, this.#table);
    this.rounds = forest.trees.length / objective.outputs;
    this.bestRounds = this.rounds;
    if (this.rounds > 0) this.#lowest = this.#loss();
  }

  /** The loss with the trees of one more round. */
  add(trees: readonly Tree[]): number {
    for (const [output, tree] of trees.entries()) addTree(tree, this.#table, this.#scores[output] as Float64Array);
    this.rounds++;
    const loss = this.#loss();
    if (loss < this.#lowest) [this.#lowest, this.bestRounds] = [loss, this.rounds];
    return loss;
  }

  #loss = (): number => this.#objective.loss(this.#scores, this.#rows.targets);
}
