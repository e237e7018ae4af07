import type { QueueView } from '../../src/serving/policies/policy.ts';
import type { Arrivals } from './arrivals.ts';

/** Requests that wait, by their numbers, in the order of their arrival, which with one budget is that of deadlines. */
export class Waiting implements QueueView {
  readonly #arrivals: Arrivals;
  readonly #budgetMs: number;
  #places: number[] = [];
  #head = 0;

  constructor(arrivals: Arrivals, budgetMs: number) {
    this.#arrivals = arrivals;
    this.#budgetMs = budgetMs;
  }

  get length(): number {
    return this.#places.length - this.#head;
  }

  deadlineMs(place: number): number {
    return this.#arrivals[this.#places[this.#head + place]!]! + this.#budgetMs;
  }

  push(request: number): void {
    this.#places.push(request);
  }

  take(from: number, rows: number): number[] {
    if (from > 0) return this.#places.splice(this.#head + from, rows);
    const taken = this.#places.slice(this.#head, this.#head + rows);
    this.#head += rows;
    if (this.#head > 4096) {
      this.#places = this.#places.slice(this.#head);
      this.#head = 0;
    }
    return taken;
  }
}
