import { spread } from './panel.ts';

/** What a trial's answers on validation rows may take, until the study has its model: of more rows, some are kept, evenly spread. */
const KEPT_BYTES = 2 * 2 ** 20;

/** Of so many classes all are kept; of more, of each row the most probable ones with their indexes, which takes as much. */
const ALL_CLASSES = 32;
export const KEPT_CLASSES = 16;

/** Rows that are kept of `rows`, if each takes `width` numbers of four bytes. */
export const keptRows = (rows: number, width: number): Int32Array => spread(rows, Math.floor(KEPT_BYTES / 4 / width));

/** Numbers of a row: its probabilities, and which classes they belong to if those are not all. */
const numbersOf = (classes: number): number => Math.min(classes, ALL_CLASSES);

/** Of probabilities [N, classes], what is kept: for each kept row its probabilities, and with many classes the indexes of these. */
export function keepProbabilities(probabilities: Float32Array, classes: number): Float32Array {
  const numbers = numbersOf(classes);
  const rows = keptRows(Math.floor(probabilities.length / classes), numbers);
  const kept = new Float32Array(rows.length * numbers);
  rows.forEach((row, i) => {
    const given = probabilities.subarray(row * classes, (row + 1) * classes);
    if (classes <= ALL_CLASSES) {
      kept.set(given, i * numbers);
      return;
    }
    const labels = mostProbable(given);
    labels.forEach((label, k) => {
      kept[i * numbers + k] = given[label] as number;
      kept[i * numbers + KEPT_CLASSES + k] = label;
    });
  });
  return kept;
}

/** The classes of the largest probabilities, the first of equals first. */
function mostProbable(probabilities: Float32Array): number[] {
  const labels: number[] = [];
  for (let label = 0; label < probabilities.length; label++) {
    const p = probabilities[label] as number;
    const isLast = labels.length === KEPT_CLASSES;
    if (isLast && p <= (probabilities[labels[KEPT_CLASSES - 1] as number] as number)) continue;
    let place = isLast ? KEPT_CLASSES - 1 : labels.length;
    while (place > 0 && (probabilities[labels[place - 1] as number] as number) < p) {
      labels[place] = labels[place - 1] as number;
      place--;
    }
    labels[place] = label;
  }
  return labels;
}

/** Probabilities that were kept of rows. */
export class KeptProbabilities {
  readonly classes: number;
  readonly width: number;
  readonly rows: number;
  readonly #kept: Float32Array;
  readonly #numbers: number;

  constructor(kept: Float32Array, classes: number) {
    this.classes = classes;
    this.width = classes <= ALL_CLASSES ? classes : KEPT_CLASSES;
    this.#kept = kept;
    this.#numbers = numbersOf(classes);
    this.rows = Math.floor(kept.length / this.#numbers);
  }

  probability(row: number, k: number): number {
    return this.#kept[row * this.#numbers + k] as number;
  }

  /** The class of the k-th probability of a row. */
  label(row: number, k: number): number {
    return this.width === this.classes ? k : (this.#kept[row * this.#numbers + this.width + k] as number);
  }

  /** Probability of each class that has none of its own. */
  rest(row: number): number {
    if (this.width === this.classes) return 0;
    let sum = 0;
    for (let k = 0; k < this.width; k++) sum += this.probability(row, k);
    return Math.max(0, 1 - sum) / (this.classes - this.width);
  }

  of(row: number, label: number): number {
    for (let k = 0; k < this.width; k++) if (this.label(row, k) === label) return this.probability(row, k);
    return this.rest(row);
  }
}
