import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

/** Sessions that are lent to the newest call: one that has waited long has no time left for an answer anyway. */
export class Sessions {
  readonly #all: readonly Database[];
  readonly #free: Database[];
  readonly #waiting: ((session: Database) => void)[] = [];

  constructor(url: string, count: number) {
    this.#all = Array.from(
      { length: count },
      () => new Database({ url, application: 'bench', maxConnections: 1, asUser: true, logger: silentLogger }),
    );
    this.#free = [...this.#all];
  }

  /** Runs `work` on a session as soon as one is free; null if none becomes free in time. */
  async with<T>(untilMs: number, work: (session: Database) => Promise<T>): Promise<T | null> {
    const session = this.#free.pop() ?? (await this.#next(untilMs));
    if (session === null) return null;
    try {
      return await work(session);
    } finally {
      const next = this.#waiting.pop();
      if (next === undefined) this.#free.push(session);
      else next(session);
    }
  }

  #next(untilMs: number): Promise<Database | null> {
    return new Promise((resolve) => {
      const taken = (session: Database): void => {
        clearTimeout(timer);
        resolve(session);
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(taken), 1);
        resolve(null);
      };
      const timer = Number.isFinite(untilMs) ? setTimeout(giveUp, Math.max(0, untilMs - performance.now())) : undefined;
      this.#waiting.push(taken);
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((session) => session.stop()));
  }
}
