import { KeptProbabilities, keptRows } from '../ensembles/kept-answers.ts';
import type { EnsembleLoss, FitEffort, Panel, PanelEnsemble, PanelMember, ScoredPart } from '../ensembles/panel.ts';
import { bestTemperature, MIN_PROBABILITY, power } from '../ensembles/temperature.ts';
import type { Metric } from '../metrics.ts';
import { majorityVote } from '../vote.ts';

/** 2,000 rows tell weights as well as a million do, and a fit takes some tenths of a second. */
const effort: FitEffort = { steps: 20, bags: 10, rows: 2000 };

/** Probabilities of all classes in all rows that are made at once, for metrics that need them: 32 MB. */
const MAX_PROBABILITIES = 2 ** 23;

/** What an ensemble says of rows. */
export interface ScoredClasses {
  predicted: Uint16Array;
  /** What is true of them. */
  actual: Uint16Array;
  /** [rows, classes]; null unless requested. */
  probabilities: Float32Array | null;
}

interface ClassPanelOptions {
  classes: number;
  /** Whether a metric needs probabilities. */
  needsProbabilities(metric: Metric | undefined): boolean;
  scoreOf(scored: ScoredClasses, metric: Metric | undefined): number;
  /** The study's; the default of `score`. */
  metric?: Metric | undefined;
}

/** Candidates with probabilities that were kept of the validation rows, whose classes `truth` has. */
export class ClassPanel implements Panel {
  readonly effort = effort;
  readonly rows: number;
  readonly candidates: number;
  readonly #kept: readonly KeptProbabilities[];
  readonly #truth: Uint16Array;
  readonly #options: ClassPanelOptions;

  constructor(kept: readonly Float32Array[], truth: Uint16Array, options: ClassPanelOptions) {
    const { classes } = options;
    this.#options = options;
    this.#kept = kept.map((each) => new KeptProbabilities(each, classes));
    this.candidates = kept.length;
    this.rows = Math.min(...this.#kept.map(({ rows }) => rows));
    const places = keptRows(truth.length, (kept[0]?.length ?? 0) / Math.max(1, this.rows));
    this.#truth = Uint16Array.from(places, (row) => truth[row] as number);
  }

  temperature(candidate: number, rows: Int32Array): number {
    const kept = this.#of(candidate);
    return bestTemperature(
      {
        classes: kept.classes,
        width: kept.width,
        probability: (row, k) => kept.probability(row, k),
        right: (row) => kept.of(row, this.#truth[row] as number),
      },
      rows,
    );
  }

  /** The log loss, whatever the metric: it changes with each row, where the share of right classes changes with a few of them. */
  lossOf(temperatures: readonly number[]): EnsembleLoss {
    const right = temperatures.map((temperature, candidate) => this.#right(candidate, temperature));
    return (counts, rows) => {
      const members = right.flatMap((column, candidate) => {
        const count = counts[candidate] ?? 0;
        return count === 0 ? [] : [{ column, count }];
      });
      const total = members.reduce((sum, { count }) => sum + count, 0);
      let loss = 0;
      for (const row of rows) {
        let sum = 0;
        for (const { column, count } of members) sum += count * (column[row] as number);
        loss -= Math.log(Math.max(MIN_PROBABILITY, sum / total));
      }
      return loss / rows.length;
    };
  }

  score(parts: readonly ScoredPart[], metric = this.#options.metric): number {
    const { classes, needsProbabilities, scoreOf } = this.#options;
    const total = parts.reduce((sum, { rows }) => sum + rows.length, 0);
    const isDense = needsProbabilities(metric);
    const every = isDense ? Math.ceil((total * classes) / MAX_PROBABILITIES) : 1;
    const scored = parts.map(({ rows, ensemble }) => {
      const some = every <= 1 ? rows : rows.filter((_, place) => place % every === 0);
      return this.#answersOf(some, ensemble, isDense);
    });
    return scoreOf(joined(scored), metric);
  }

  #answersOf(rows: Int32Array, ensemble: PanelEnsemble, isDense: boolean): ScoredClasses {
    const { classes } = this.#options;
    const actual = Uint16Array.from(rows, (row) => this.#truth[row] as number);
    const predicted = new Uint16Array(rows.length);
    const probabilities = isDense ? new Float32Array(rows.length * classes) : null;
    const answer = ensemble.rule === 'vote' ? this.#voter(ensemble.members) : this.#weigher(ensemble.members);
    rows.forEach((row, i) => {
      predicted[i] = answer(row, probabilities?.subarray(i * classes, (i + 1) * classes));
    });
    return { predicted, actual, probabilities };
  }

  #voter(members: readonly PanelMember[]): (row: number) => number {
    return (row) => majorityVote(members.map(({ candidate }) => mostProbable(this.#of(candidate), row)));
  }

  /** Sums only the classes that have probabilities of their own in a row; all others have the same. */
  #weigher(members: readonly PanelMember[]): (row: number, into?: Float32Array) => number {
    const sums = new Float64Array(this.#options.classes);
    const isTouched = new Uint8Array(sums.length);
    const total = members.reduce((sum, { weight }) => sum + weight, 0);
    return (row, into) => {
      let others = 0;
      let winner = 0;
      const touched: number[] = [];
      for (const { candidate, weight, temperature } of members) {
        const kept = this.#of(candidate);
        const { sum, rest } = partition(kept, row, temperature);
        const share = weight / total / sum;
        others += share * rest;
        for (let k = 0; k < kept.width; k++) {
          const label = kept.label(row, k);
          if (isTouched[label] === 0) touched.push(label);
          isTouched[label] = 1;
          sums[label]! += share * (raised(kept.probability(row, k), temperature) - rest);
        }
      }
      let max = Number.NEGATIVE_INFINITY;
      into?.fill(others);
      for (const label of touched) {
        const sum = sums[label] as number;
        if (sum > max || (sum === max && label < winner)) [winner, max] = [label, sum];
        if (into) into[label] = others + sum;
        sums[label] = 0;
        isTouched[label] = 0;
      }
      return winner;
    };
  }

  /** The calibrated probability of the right class of each row. */
  #right(candidate: number, temperature: number): Float64Array {
    const kept = this.#of(candidate);
    return Float64Array.from({ length: this.rows }, (_, row) => {
      const p = kept.of(row, this.#truth[row] as number);
      return raised(p, temperature) / partition(kept, row, temperature).sum;
    });
  }

  #of(candidate: number): KeptProbabilities {
    const kept = this.#kept[candidate];
    if (kept === undefined) throw new RangeError(`a panel has no candidate ${candidate}`);
    return kept;
  }
}

const raised = (p: number, temperature: number): number => (temperature === 1 ? p : power(p, temperature));

/** The sum of what all classes of a row have once they are calibrated, and what a class without a probability of its own has. */
function partition(kept: KeptProbabilities, row: number, temperature: number): { sum: number; rest: number } {
  const others = kept.classes - kept.width;
  const rest = others === 0 ? 0 : raised(kept.rest(row), temperature);
  if (temperature === 1) return { sum: 1, rest };
  let sum = others * rest;
  for (let k = 0; k < kept.width; k++) sum += raised(kept.probability(row, k), temperature);
  return { sum, rest };
}

function mostProbable(kept: KeptProbabilities, row: number): number {
  let best = 0;
  for (let k = 1; k < kept.width; k++) if (kept.probability(row, k) > kept.probability(row, best)) best = k;
  return kept.label(row, best);
}

function joined(parts: readonly ScoredClasses[]): ScoredClasses {
  const rows = parts.reduce((sum, part) => sum + part.actual.length, 0);
  const numbers = parts.reduce((sum, part) => sum + (part.probabilities?.length ?? 0), 0);
  const all: ScoredClasses = {
    predicted: new Uint16Array(rows),
    actual: new Uint16Array(rows),
    probabilities: numbers === 0 ? null : new Float32Array(numbers),
  };
  let [at, from] = [0, 0];
  for (const part of parts) {
    all.predicted.set(part.predicted, at);
    all.actual.set(part.actual, at);
    all.probabilities?.set(part.probabilities ?? [], from);
    at += part.actual.length;
    from += part.probabilities?.length ?? 0;
  }
  return all;
}
