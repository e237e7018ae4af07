import type { BinnedTable } from '../../src/trees/binned-table.ts';
import { answersOfScores, type Forest, forestScores } from '../../src/trees/forest.ts';

/** Probabilities [classes][rows]; of numbers, the numbers themselves as the only entry. */
export const forestAnswers = (forest: Forest, table: BinnedTable): Float64Array[] =>
  answersOfScores(forest.objective, forestScores(forest, table));
