import { hostname } from 'node:os';
import type { Database } from '../db/database.ts';
import { deleteProcess, insertProcess, touchProcess } from '../db/statements/processes.ts';
import { writePredictStat } from '../db/statements/serving.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import type { PredictStat } from './predict-stat.ts';

export interface PresenceOptions {
  database: Database;
  version: string;
  threads: number;
  logger: Logger;
  /** By model id. */
  stats(): ReadonlyMap<number, PredictStat>;
}

const BEAT_MS = 5000;
const STAT_MS = 2000;

/** This process as others see it: its row in rafiki.process, and what it counts in rafiki.predict_stat. */
export class Presence implements Service {
  readonly #options: PresenceOptions;
  readonly #written = new Map<number, number>();
  #processId = 0;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #beatAtMs = 0;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#register();
    this.#timer = setInterval(() => {
      this.#working = this.#working.then(() => this.#tell());
    }, STAT_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#working;
    await deleteProcess(this.#options.database, this.#processId).catch((error: unknown) => {
      this.#options.logger.warn({ err: String(error) }, 'the process row was left behind');
    });
  }

  async #register(): Promise<void> {
    const { database, threads, version } = this.#options;
    this.#processId = await insertProcess(database, {
      kind: 'serving',
      host: hostname(),
      pid: process.pid,
      threads,
      version,
    });
    this.#beatAtMs = performance.now();
    this.#written.clear();
  }

  async #tell(): Promise<void> {
    const { database, logger } = this.#options;
    try {
      if (performance.now() - this.#beatAtMs >= BEAT_MS - STAT_MS / 2) {
        if (!(await touchProcess(database, this.#processId))) await this.#register();
        this.#beatAtMs = performance.now();
      }
      await this.#writeStats();
    } catch (error) {
      logger.warn({ err: String(error) }, 'the database does not hear from serving');
    }
  }

  async #writeStats(): Promise<void> {
    for (const [modelId, stat] of this.#options.stats()) {
      const { calls, rows, cached, batches, overdue } = stat;
      if (this.#written.get(modelId) === calls) continue;
      await writePredictStat(this.#options.database, this.#processId, {
        modelId,
        calls,
        rows,
        cached,
        batches,
        overdue,
        p50Ms: stat.quantile(0.5),
        p99Ms: stat.quantile(0.99),
      });
      this.#written.set(modelId, calls);
    }
  }
}
