import type { MemberWeight } from '../ensembles/rule.ts';
import { addCalibrated } from '../ensembles/temperature.ts';
import { floats, type MemberAnswers } from './kind.ts';

/**
 * Adds the weighted mean of the members' calibrated probabilities of a row to `into`; `outputs` are [rows, classes] of each. Weights of
 * some members count by their sum.
 */
export function addWeighted(
  into: Float64Array,
  { outputs, members, row }: { outputs: readonly Float32Array[]; members: readonly MemberWeight[]; row: number },
): void {
  const classes = into.length;
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  for (const [m, output] of outputs.entries()) {
    const { weight = total, temperature = 1 } = members[m] ?? {};
    addCalibrated(into, { output, at: row * classes, temperature, weight: weight / total });
  }
}

/** The weighted probabilities of all rows, of the classes of the first member; a class that a member does not know has 0. */
export function weightedProbabilities(members: readonly MemberAnswers[]): {
  classes: readonly string[];
  all: Float32Array;
} {
  const [first] = members;
  if (first === undefined) return { classes: [], all: new Float32Array(0) };
  const { classes } = first;
  const outputs = members.map(({ answers, classes: own }) => translated(floats(answers), own, classes));
  const all = new Float32Array(outputs[0]?.length ?? 0);
  const sums = new Float64Array(classes.length);
  for (let row = 0; row < all.length / classes.length; row++) {
    sums.fill(0);
    addWeighted(sums, { outputs, members, row });
    all.set(sums, row * classes.length);
  }
  return { classes, all };
}

/** Probabilities [rows, from] as [rows, to]: 0 for classes that are not in `from`. */
export function translated(given: Float32Array, from: readonly string[], to: readonly string[]): Float32Array {
  if (from.length === to.length && from.every((label, c) => label === to[c])) return given;
  const rows = given.length / from.length;
  const probabilities = new Float32Array(rows * to.length);
  const places = to.map((label) => from.indexOf(label));
  for (let row = 0; row < rows; row++)
    places.forEach((place, c) => {
      if (place >= 0) probabilities[row * to.length + c] = given[row * from.length + place] as number;
    });
  return probabilities;
}
