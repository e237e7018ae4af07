import type { EnsembleLoss, FitEffort, Panel, ScoredPart } from '../ensembles/panel.ts';
import { type EnsembleRule, type MemberWeight, unweighted } from '../ensembles/rule.ts';
import type { Metric } from '../metrics.ts';

/** As for classes. */
const effort: FitEffort = { steps: 20, bags: 10, rows: 2000 };

interface NumberPanelOptions {
  /** Whether weights are fitted by absolute errors instead of squared ones. */
  isAbsolute: boolean;
  scoreOf(answers: Float32Array, actual: Float32Array, metric: Metric | undefined): number;
  /** The study's; the default of `score`. */
  metric?: Metric | undefined;
}

/** Candidates with what they answered for all validation rows. */
export class NumberPanel implements Panel {
  readonly effort = effort;
  readonly rows: number;
  readonly candidates: number;
  readonly #numbers: readonly Float32Array[];
  readonly #truth: Float32Array;
  readonly #options: NumberPanelOptions;

  constructor(numbers: readonly Float32Array[], truth: Float32Array, options: NumberPanelOptions) {
    this.#numbers = numbers;
    this.#truth = truth;
    this.#options = options;
    this.rows = truth.length;
    this.candidates = numbers.length;
  }

  temperature(): number {
    return 1;
  }

  lossOf(): EnsembleLoss {
    const { isAbsolute } = this.#options;
    return (counts, rows) => {
      const members = this.#numbers.flatMap((numbers, candidate) => {
        const count = counts[candidate] ?? 0;
        return count === 0 ? [] : [{ numbers, count }];
      });
      const total = members.reduce((sum, { count }) => sum + count, 0);
      let loss = 0;
      for (const row of rows) {
        let sum = 0;
        for (const { numbers, count } of members) sum += count * (numbers[row] as number);
        const error = sum / total - (this.#truth[row] as number);
        loss += isAbsolute ? Math.abs(error) : error * error;
      }
      return loss / rows.length;
    };
  }

  score(parts: readonly ScoredPart[], metric = this.#options.metric): number {
    const rows = parts.reduce((sum, part) => sum + part.rows.length, 0);
    const [answers, actual] = [new Float32Array(rows), new Float32Array(rows)];
    let at = 0;
    for (const part of parts) {
      const { rule, members } = part.ensemble;
      for (const row of part.rows) {
        const given = members.map(({ candidate }) => this.#numbers[candidate]?.[row] ?? Number.NaN);
        answers[at] = meanOf(given, members, rule);
        actual[at++] = this.#truth[row] as number;
      }
    }
    return this.#options.scoreOf(answers, actual, metric);
  }
}

/** What a member's number counts, see {@link meanOf}. */
export const numberWeight = ({ score, weight }: MemberWeight = unweighted(0), rule: EnsembleRule): number =>
  rule === 'vote' ? 1 / Math.max(MIN_UNEXPLAINED, 1 - score) : weight;

/** What a score lacks to 1 is not taken for smaller than this: nobody's weight is infinite. */
const MIN_UNEXPLAINED = 1e-6;

/**
 * The mean of what members answer, in single precision, as a single member's answer is. In a vote they count by the inverse of what they
 * leave unexplained: with R² and independent errors, the mean with the least squared error (Bates and Granger 1969, The combination of
 * forecasts).
 */
export function meanOf(numbers: readonly number[], members: readonly MemberWeight[], rule: EnsembleRule): number {
  let sum = 0;
  let weights = 0;
  for (const [m, number] of numbers.entries()) {
    const weight = numberWeight(members[m], rule);
    sum += weight * number;
    weights += weight;
  }
  return Math.fround(sum / weights);
}
