import { FairClock } from '../queue/fair-clock.ts';
import type { Work } from './work.ts';

/** What waits for a thread. */
export interface Job {
  /** The model. */
  id: number;
  /** Where several roles ask. */
  work: Work | undefined;
}

/** A thread, as far as it decides what it can run. */
export interface JobRunner {
  holds: ReadonlySet<number>;
  /** Whether it is kept for short batches: those that take long run elsewhere where that can be. */
  isKept: boolean;
}

/**
 * Batches that wait for a thread. Where several roles ask, the one whose batches had least of the threads' time comes first;
 * others come in the order in which they were asked.
 */
export class JobQueue<T extends Job> {
  #jobs: T[] = [];
  /** By milliseconds. */
  readonly #clock = new FairClock();

  push(job: T): void {
    this.#jobs.push(job);
  }

  /** The job that a free thread runs next; `elsewhere` tells whether another thread could run it. */
  take({ holds, isKept }: JobRunner, elsewhere: (id: number) => boolean): T | undefined {
    let first: T | undefined;
    for (const job of this.#jobs) {
      if (!holds.has(job.id) || (isKept && job.work?.isLong === true && elsewhere(job.id))) continue;
      if (first === undefined || this.#startOf(job) < this.#startOf(first)) first = job;
    }
    if (first === undefined) return undefined;
    this.#jobs.splice(this.#jobs.indexOf(first), 1);
    this.#clock.begin(this.#startOf(first));
    return first;
  }

  /** All of them, where none can run. */
  takeAll(): T[] {
    return this.#jobs.splice(0);
  }

  /** A job has run for so long. */
  ran({ work }: T, ms: number): void {
    if (work === undefined) return;
    let all = 0;
    for (const rows of work.rows.values()) all += rows;
    for (const [role, rows] of work.rows) this.#clock.charge(role, (ms * rows) / all);
  }

  /** A batch for several roles comes in the first of their turns. */
  #startOf({ work }: T): number {
    let first = Number.POSITIVE_INFINITY;
    for (const role of work?.rows.keys() ?? []) first = Math.min(first, this.#clock.startOf(role));
    return Number.isFinite(first) ? first : 0;
  }
}
