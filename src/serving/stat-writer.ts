import type { Database } from '../db/database.ts';
import type { Heartbeat } from '../db/heartbeat.ts';
import { selectModelsOf, writePredictStat } from '../db/statements/serving/serving-state.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import type { PredictStat } from './predict-stat.ts';

export interface StatWriterOptions {
  database: Database;
  /** Its process owns the counts. */
  heartbeat: Heartbeat;
  logger: Logger;
  /** Interval for purging the counts of dropped models. */
  purgeMs?: number;
  everyMs?: number;
  /** By model id. */
  stats(): Map<number, PredictStat>;
}

const WRITE_MS = 2000;
/** Interval for purging the counts of dropped models. */
const PURGE_MS = 60_000;

/** Writes this process's counts to rafiki.predict_stat if they changed. */
export class StatWriter implements Service {
  readonly #options: StatWriterOptions;
  /** Last written values, by model: those that change without a call. */
  readonly #written = new Map<number, string>();
  #processId: number | undefined;
  #forgotMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: StatWriterOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => {
      this.#writing = this.#writing.then(() => this.#write());
    }, this.#options.everyMs ?? WRITE_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { database, heartbeat, stats, logger } = this.#options;
    if (heartbeat.id !== this.#processId) this.#written.clear(); // the old process row was removed as dead, with its counts
    this.#processId = heartbeat.id;
    if (this.#processId === undefined) return;
    try {
      for (const [modelId, stat] of stats()) {
        const { calls, rows, cached, batches, overdue, refused, cold, loads, bytes } = stat;
        const state = [calls, rows, refused, loads, bytes].join();
        if (this.#written.get(modelId) === state) continue;
        const quantiles = { p50Ms: stat.quantile(0.5), p99Ms: stat.quantile(0.99) };
        const counts = {
          latencies: stat.latency.counts(),
          batchSizes: stat.batchSizes.counts(),
          members: Object.fromEntries(stat.members),
        };
        const row = {
          modelId,
          calls,
          rows,
          cached,
          batches,
          overdue,
          refused,
          cold,
          loads,
          bytes,
          ...quantiles,
          ...counts,
        };
        await writePredictStat(database, this.#processId, row);
        this.#written.set(modelId, state);
      }
      await this.#purgeDropped();
    } catch (error) {
      logger.warn({ err: String(error) }, 'cannot write the prediction counts');
    }
  }

  async #purgeDropped(): Promise<void> {
    const { database, stats, purgeMs = PURGE_MS } = this.#options;
    if (performance.now() - this.#forgotMs < purgeMs) return;
    this.#forgotMs = performance.now();
    const counted = [...stats().keys()];
    const there = new Set(await selectModelsOf(database, counted));
    for (const modelId of counted.filter((id) => !there.has(id))) {
      stats().delete(modelId);
      this.#written.delete(modelId);
    }
  }
}
