import type { Database } from '../db/database.ts';
import type { Heartbeat } from '../db/heartbeat.ts';
import { selectModelsOf, writePredictStat } from '../db/statements/serving-notes.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import type { PredictStat } from './predict-stat.ts';

export interface StatWriterOptions {
  database: Database;
  /** Whose row the counts belong to. */
  heartbeat: Heartbeat;
  logger: Logger;
  /** How often models are looked for that were dropped. */
  forgetMs?: number;
  everyMs?: number;
  /** By model id. */
  stats(): Map<number, PredictStat>;
}

const WRITE_MS = 2000;
/** So often the counts of models that were dropped are forgotten. */
const FORGET_MS = 60_000;

/** Writes what this process counts into rafiki.predict_stat, where it changed. */
export class StatWriter implements Service {
  readonly #options: StatWriterOptions;
  /** What was written last, by model: all that changes without a call beside the calls. */
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
    if (heartbeat.id !== this.#processId) this.#written.clear(); // taken for dead: the old row went, and its counts with it
    this.#processId = heartbeat.id;
    if (this.#processId === undefined) return;
    try {
      for (const [modelId, stat] of stats()) {
        const { calls, rows, cached, batches, overdue, cold, loads, bytes } = stat;
        const state = [calls, rows, loads, bytes].join();
        if (this.#written.get(modelId) === state) continue;
        const quantiles = { p50Ms: stat.quantile(0.5), p99Ms: stat.quantile(0.99) };
        const row = { modelId, calls, rows, cached, batches, overdue, cold, loads, bytes, ...quantiles };
        await writePredictStat(database, this.#processId, row);
        this.#written.set(modelId, state);
      }
      await this.#forgetDropped();
    } catch (error) {
      logger.warn({ err: String(error) }, 'the counts of predictions cannot be written');
    }
  }

  async #forgetDropped(): Promise<void> {
    const { database, stats, forgetMs = FORGET_MS } = this.#options;
    if (performance.now() - this.#forgotMs < forgetMs) return;
    this.#forgotMs = performance.now();
    const counted = [...stats().keys()];
    const there = new Set(await selectModelsOf(database, counted));
    for (const modelId of counted.filter((id) => !there.has(id))) {
      stats().delete(modelId);
      this.#written.delete(modelId);
    }
  }
}
