import { FairClock } from '../queue/fair-clock.ts';
import type { BatchRoles } from './work.ts';

/** A batch that waits for a thread. */
export interface Job {
  /** The model's id. */
  id: number;
  /** Set if several roles are active. */
  work: BatchRoles | undefined;
}

/** A thread: what determines which jobs it can run. */
export interface JobRunner {
  loaded: ReadonlySet<number>;
  /** Whether it is reserved for short batches: long ones run on other threads if possible. */
  isReserved: boolean;
}

/**
 * Batches that wait for a thread. If several roles are active, the role with the least thread time comes first;
 * otherwise first come, first served.
 */
export class JobQueue<T extends Job> {
  #jobs: T[] = [];
  /** In milliseconds of thread time. */
  readonly #clock = new FairClock();

  push(job: T): void {
    this.#jobs.push(job);
  }

  /** The next job for a free thread; `elsewhere` returns whether another thread could run a model's job. */
  take({ loaded, isReserved }: JobRunner, elsewhere: (id: number) => boolean): T | undefined {
    let first: T | undefined;
    for (const job of this.#jobs) {
      if (!loaded.has(job.id) || (isReserved && job.work?.isLong === true && elsewhere(job.id))) continue;
      if (first === undefined || this.#startOf(job) < this.#startOf(first)) first = job;
    }
    if (first === undefined) return undefined;
    this.#jobs.splice(this.#jobs.indexOf(first), 1);
    this.#clock.begin(this.#startOf(first));
    return first;
  }

  /** Removes all jobs, when no thread can run them. */
  takeAll(): T[] {
    return this.#jobs.splice(0);
  }

  /** A job has run for `ms`. */
  ran({ work }: T, ms: number): void {
    if (work === undefined) return;
    let all = 0;
    for (const rows of work.rows.values()) all += rows;
    for (const [role, rows] of work.rows) this.#clock.charge(role, (ms * rows) / all);
  }

  /** A batch of several roles takes the earliest of their turns. */
  #startOf({ work }: T): number {
    let first = Number.POSITIVE_INFINITY;
    for (const role of work?.rows.keys() ?? []) first = Math.min(first, this.#clock.startOf(role));
    return Number.isFinite(first) ? first : 0;
  }
}
