import type { BinnedTable } from './binned-table.ts';
import type { FeatureBins } from './feature-bins.ts';
import { softmax } from './objective.ts';
import type { ObjectiveName } from './settings.ts';
import { addTree, type Tree } from './tree.ts';

/** What is trained, exported, and stored between trees: plain data. */
export interface Forest {
  objective: ObjectiveName;
  features: readonly FeatureBins[];
  /** Where each score of a row starts. */
  base: Float32Array;
  /** Round by round, a tree for each score. */
  trees: readonly Tree[];
}

/** Scores [outputs][rows]: the sums of the trees' answers, as doubles. */
export function forestScores({ base, trees }: Forest, table: BinnedTable): Float64Array[] {
  const scores = Array.from(base, (start) => new Float64Array(table.rows).fill(start));
  for (const [i, tree] of trees.entries()) addTree(tree, table, scores[i % base.length] as Float64Array);
  return scores;
}

/** Probabilities [classes][rows] of scores [outputs][rows]; of numbers, the numbers themselves as the only entry. */
export function answersOfScores(objective: ObjectiveName, scores: Float64Array[]): Float64Array[] {
  if (objective !== 'log_loss') return scores;
  if (scores.length > 1) return softmax(scores);
  // Of two classes the first one's score is 0.
  return softmax([new Float64Array(scores[0]?.length ?? 0), ...scores]);
}
