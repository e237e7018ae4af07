import { lateAt } from '../policies/batches.ts';
import type { QueueView } from '../policies/policy.ts';

/** Consecutive waiting requests: at most `rows`, from the first on that is due after `endMs`, if there are so many. */
export class QueuePart implements QueueView {
  readonly #queue: QueueView;
  readonly from: number;
  readonly length: number;

  constructor(queue: QueueView, rows: number, endMs: number) {
    this.#queue = queue;
    this.length = Math.min(rows, queue.length);
    this.from = Math.min(lateAt(queue, endMs), queue.length - this.length);
  }

  deadlineMs(place: number): number {
    return place < this.length ? this.#queue.deadlineMs(this.from + place) : Number.POSITIVE_INFINITY;
  }
}
