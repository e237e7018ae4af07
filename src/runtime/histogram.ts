import type { MeasuredBuckets } from './measured.ts';

/** Counts observations by their size. */
export class Histogram {
  readonly #bounds: readonly number[];
  /** Of each bucket alone; the last is for what is above all bounds. */
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  /** `bounds`: upper ones, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array(bounds.length + 1).fill(0);
  }

  add(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] as number)) at++;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#count++;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Of each bucket alone; the last is for what is above all bounds. */
  counts(): readonly number[] {
    return this.#counts;
  }

  buckets(): MeasuredBuckets {
    let below = 0;
    const counts = this.#bounds.map((_, i) => {
      below += this.#counts[i] as number;
      return below;
    });
    return { bounds: this.#bounds, counts, count: this.#count };
  }
}
