import type { RawInput } from '../domain/task.ts';

/**
 * The scores of one input, taken apart: where each score starts if nothing of the input is known, and what each part of the input adds to
 * it. Of classes they are the logarithms of probabilities, up to a number that all of them share; of a regression the number alone.
 */
export interface ScoreParts {
  /** [scores] */
  start: Float64Array;
  /** [scores][parts] */
  added: readonly Float64Array[];
}

/** Scores of inputs, [inputs][scores]. */
export type Scorer = (inputs: readonly RawInput[]) => Promise<Float64Array[]>;

/** One member of an ensemble: takes the scores of an input apart. */
export type MemberExplainer = (input: Explained) => Promise<ScoreParts>;

/** An input with its parts: see `partsOf`. */
export interface Explained {
  input: RawInput;
  /** How many. */
  parts: number;
  /** The input with some of its parts only; absent for rows, whose missing parts each member fills in its own way. */
  without?(known: readonly Uint8Array[]): Promise<RawInput[]>;
}

/** What a score is. */
export const scoreOf = ({ start, added }: ScoreParts, score: number): number =>
  (added[score] ?? new Float64Array(0)).reduce((sum, part) => sum + part, start[score] ?? 0);
