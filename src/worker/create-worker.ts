import { hostname } from 'node:os';
import { DataCache } from '../datasets/data-cache.ts';
import type { ReadTimes } from '../datasets/read-times.ts';
import type { Database } from '../db/database.ts';
import { Heartbeat } from '../db/heartbeat.ts';
import { Listener } from '../db/listener.ts';
import { claimTrial } from '../db/statements/claims.ts';
import { countWorkersOn } from '../db/statements/processes.ts';
import { computing } from '../engine/computing.ts';
import { familyNames } from '../models/registry.ts';
import { createParamStore, type StorageOptions } from '../params/create-param-store.ts';
import type { ParamStore } from '../params/param-store.ts';
import { backoffMs } from '../runtime/backoff.ts';
import { defaultCacheDir } from '../runtime/cache-dir.ts';
import type { Logger } from '../runtime/logger.ts';
import { ensureUsableDir } from '../runtime/private-dir.ts';
import { createRng } from '../runtime/rng.ts';
import { type Service, startAll, stopAll } from '../runtime/service.ts';
import { sleep } from '../runtime/sleep.ts';
import { Wake } from '../runtime/wake.ts';
import { TrialRun } from './trial-run.ts';

export interface WorkerOptions extends StorageOptions {
  database: Database;
  logger: Logger;
  /** ONNX Runtime threads of a trial; 'shared' divides the cores among this machine's workers. */
  threads: number | 'shared';
  cores: number;
  /** Of whoever reads sources, where it is not the service's with another name. */
  readerUrl?: string | undefined;
  /** The most bytes that a study's rows may have. */
  dataLimitBytes?: number | undefined;
  /** Least time between two checkpoints of a trial. */
  checkpointEveryMs?: number;
  /** How long a source may keep it. */
  readTimes?: Partial<ReadTimes>;
}

/** NOTIFY may be lost: look for a waiting trial at least so often. */
const POLL_MS = 2_000;
/** And whoever sends NOTIFYs makes it look no more often than this. */
const LOOK_MS = 100;
const SWEEP_EVERY_MS = 30_000;
const CHECKPOINT_EVERY_MS = 20_000;
/** Before another trial is taken, where the login that reads sources was refused, or this machine cannot train. */
const UNFIT_PAUSE = { firstMs: 1_000, maxMs: 60_000 };

export const createWorker = (options: WorkerOptions): Service => new Worker(options);

/** Trains one trial after another. Several on one machine share the data files, and the cores. */
class Worker implements Service {
  readonly #options: WorkerOptions;
  readonly #cacheDir: string;
  readonly #params: ParamStore;
  readonly #cache: DataCache;
  readonly #heartbeat: Heartbeat;
  readonly #listener: Listener;
  readonly #wake = new Wake(LOOK_MS);
  readonly #stopping = new AbortController();
  #run: TrialRun | undefined;
  #loop: Promise<void> | undefined;
  /** Trials in a row that were given back, since the reader's login was refused or this machine cannot train. */
  #givenBack = 0;
  #sweptMs = Number.NEGATIVE_INFINITY;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const {
      database,
      logger,
      readerUrl,
      cacheDir = defaultCacheDir(),
      dataLimitBytes: limitBytes,
      readTimes,
    } = options;
    this.#cacheDir = cacheDir;
    this.#params = createParamStore(database, options);
    this.#cache = new DataCache({ database, dir: cacheDir, readerUrl, limitBytes, times: readTimes, logger });
    this.#heartbeat = new Heartbeat({ database, kind: 'worker', device: computing().device, logger });
    this.#listener = new Listener({
      url: database.url,
      channels: ['rafiki_trial', 'rafiki_stop'],
      onNotify: (channel, payload) => this.#hint(channel, payload),
      onConnect: () => this.#wake.poke(),
      logger,
    });
  }

  async start(): Promise<void> {
    await ensureUsableDir(this.#cacheDir);
    await startAll([this.#heartbeat, this.#listener]);
    this.#loop = this.#work();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#run?.release();
    await this.#loop;
    await stopAll([this.#heartbeat, this.#listener]);
  }

  #hint(channel: string, payload: string): void {
    if (channel === 'rafiki_trial') this.#wake.poke();
    else if (payload === String(this.#run?.trialId)) this.#run?.lookSoon();
  }

  async #work(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const busy = await this.#next().catch((error: Error) => {
        this.#options.logger.warn({ err: error.message }, 'no trial could be claimed');
        return false;
      });
      if (!busy) await this.#wake.wait(POLL_MS, signal);
    }
  }

  /** Trains the next waiting trial; false when there is none. */
  async #next(): Promise<boolean> {
    const { database, logger, checkpointEveryMs = CHECKPOINT_EVERY_MS } = this.#options;
    const processId = this.#heartbeat.id;
    if (processId === undefined) return false;
    const [held, beingRead] = await Promise.all([this.#cache.held(), this.#cache.beingRead()]);
    const trial = await claimTrial(database, processId, { families: familyNames, held, beingRead });
    if (trial === undefined) {
      await this.#sweep();
      return false;
    }
    logger.info({ trial: trial.trialId, attempt: trial.attempt, family: trial.family }, 'waiting → running');
    const threads = await this.#threads();
    this.#run = new TrialRun(trial, {
      database,
      params: this.#params,
      cache: this.#cache,
      threads,
      checkpointEveryMs,
      logger,
    });
    if (this.#stopping.signal.aborted) this.#run.release();
    const wasFit = await this.#run.run();
    this.#run = undefined;
    if (wasFit) this.#givenBack = 0;
    else await this.#pause();
    return true;
  }

  /** Others may take the trial meanwhile. */
  async #pause(): Promise<void> {
    await sleep(backoffMs(this.#givenBack++, UNFIT_PAUSE, createRng(process.pid)), this.#stopping.signal);
  }

  async #threads(): Promise<number> {
    const { threads, cores, database } = this.#options;
    if (threads !== 'shared') return threads;
    return Math.max(1, Math.floor(cores / Math.max(1, await countWorkersOn(database, hostname()))));
  }

  async #sweep(): Promise<void> {
    if (performance.now() - this.#sweptMs < SWEEP_EVERY_MS) return;
    this.#sweptMs = performance.now();
    await this.#cache.sweep();
  }
}
