import type { Measured } from '../runtime/measured.ts';

const parts = ['leading', 'joined'] as const;
/** Whether a worker owns the trial that it trains, or has joined another one's. */
type TrainingRole = (typeof parts)[number];

/** What a worker has done since it started. */
export class WorkerCounts {
  readonly #trials: Record<TrainingRole, number> = { leading: 0, joined: 0 };
  readonly #seconds: Record<TrainingRole, number> = { leading: 0, joined: 0 };
  #now: { part: TrainingRole; sinceMs: number } | undefined;

  async during<T>(part: TrainingRole, work: () => Promise<T>): Promise<T> {
    this.#now = { part, sinceMs: performance.now() };
    this.#trials[part]++;
    try {
      return await work();
    } finally {
      this.#seconds[part] = this.#secondsOf(part);
      this.#now = undefined;
    }
  }

  measured(): Measured[] {
    const byPart = (numberOf: (part: TrainingRole) => number): Measured['values'] =>
      parts.map((part) => ({ labels: { part }, value: numberOf(part) }));
    return [
      {
        name: 'rafiki_worker_trials_total',
        help: 'Trials that the worker began to train, by whether it owned or joined them.',
        kind: 'counter',
        values: byPart((part) => this.#trials[part]),
      },
      {
        name: 'rafiki_worker_busy_seconds_total',
        help: 'Time in trials, reading their rows and storing their results included.',
        kind: 'counter',
        values: byPart((part) => this.#secondsOf(part)),
      },
    ];
  }

  #secondsOf(part: TrainingRole): number {
    const running = this.#now?.part === part ? (performance.now() - this.#now.sinceMs) / 1000 : 0;
    return this.#seconds[part] + running;
  }
}
