import { hostname } from 'node:os';
import path from 'node:path';
import { DataCache } from '../datasets/data-cache.ts';
import type { ReadTimes } from '../datasets/read-times.ts';
import type { Database } from '../db/database.ts';
import { Heartbeat } from '../db/heartbeat.ts';
import { Listener } from '../db/listener.ts';
import { claimTrial } from '../db/statements/claims.ts';
import { joinTrial } from '../db/statements/joint-training.ts';
import { countWorkersOn } from '../db/statements/processes.ts';
import { computing } from '../engine/computing.ts';
import { type FamilySource, loadFamilies } from '../families/sources.ts';
import type { Family } from '../models/family.ts';
import { addFamilies, familyNames, sharedFamilyNames } from '../models/registry.ts';
import { createParamStore, type StorageOptions } from '../params/create-param-store.ts';
import { ModelFiles } from '../params/model-files.ts';
import type { ParamStore } from '../params/param-store.ts';
import { backoffMs } from '../runtime/backoff.ts';
import { defaultCacheDir } from '../runtime/disk/cache-dir.ts';
import { ensureUsableDir } from '../runtime/disk/private-dir.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Measured, MeasuredService } from '../runtime/measured.ts';
import { createRng } from '../runtime/rng.ts';
import { type Service, startAll, stopAll } from '../runtime/service.ts';
import { sleep } from '../runtime/sleep.ts';
import { Wake } from '../runtime/wake.ts';
import { announceFamilies } from './announce-families.ts';
import { JoinedRun } from './joined-run.ts';
import { RoundFolders } from './round-folders.ts';
import type { TrialRunOptions } from './run-options.ts';
import { TrialRun } from './trial-run.ts';
import { WorkerCounts } from './worker-counts.ts';

export interface WorkerOptions extends StorageOptions {
  database: Database;
  logger: Logger;
  /** ONNX Runtime threads of a trial; 'shared' divides the cores among this machine's workers. */
  threads: number | 'shared';
  cores: number;
  /** Connection of the reader login that reads sources; derived from the service's if absent. */
  readerUrl?: string | undefined;
  /** Maximum bytes of a study's rows. */
  dataLimitBytes?: number | undefined;
  /** Minimum time between two checkpoints of a trial. */
  checkpointEveryMs?: number;
  /** How long a role without running trials waits for a worker of one that has several. */
  yieldMs?: number;
  /** Time limits for reading a source. */
  readTimes?: Partial<ReadTimes>;
  /** Families from elsewhere. */
  sources?: readonly FamilySource[];
}

/** Fallback for a lost NOTIFY. */
const POLL_MS = 2_000;
/** Any role may send any number of NOTIFYs: this bounds the number of queries. */
const MIN_POLL_MS = 100;
/** Trials that are not joined again. */
const MAX_AVOIDED = 100;
const SWEEP_EVERY_MS = 30_000;
const CHECKPOINT_EVERY_MS = 20_000;
/** Pause before the next trial after the reader login was refused, or this machine could not train, or may be at fault that a trial failed. */
const UNFIT_PAUSE = { firstMs: 1_000, maxMs: 60_000 };

export const createWorker = (options: WorkerOptions): Service & MeasuredService => new Worker(options);

/** Trains one trial after another. Several workers on a machine share the data files and the cores. */
class Worker implements Service, MeasuredService {
  readonly #options: WorkerOptions;
  readonly #cacheDir: string;
  readonly #params: ParamStore;
  readonly #files: ModelFiles;
  readonly #cache: DataCache;
  readonly #roundFolders: RoundFolders;
  readonly #heartbeat: Heartbeat;
  readonly #listener: Listener;
  readonly #wake = new Wake(MIN_POLL_MS);
  readonly #stopping = new AbortController();
  #run: TrialRun | undefined;
  #joined: JoinedRun | undefined;
  /** The last trials of which this worker could not train shares, newest first. */
  #avoided: readonly number[] = [];
  #loop: Promise<void> | undefined;
  /** Consecutive trials that the reader login, or this machine, may be why they ended. */
  #unfitInRow = 0;
  #sweptMs = Number.NEGATIVE_INFINITY;
  readonly #counts = new WorkerCounts();
  /** Families from elsewhere. */
  #own: readonly Family[] = [];

  constructor(options: WorkerOptions) {
    this.#options = options;
    const {
      database,
      logger,
      readerUrl,
      cacheDir = defaultCacheDir(),
      dataLimitBytes: limitBytes,
      cacheLimitBytes,
      readTimes: times,
    } = options;
    this.#cacheDir = cacheDir;
    this.#params = createParamStore(database, options);
    this.#files = new ModelFiles(this.#params, cacheDir, cacheLimitBytes);
    this.#cache = new DataCache({ database, dir: cacheDir, readerUrl, limitBytes, cacheLimitBytes, times, logger });
    this.#roundFolders = new RoundFolders(cacheDir);
    const onRegistered = (processId: number): Promise<void> => announceFamilies(database, processId, this.#own);
    this.#heartbeat = new Heartbeat({ database, kind: 'worker', device: computing().device, onRegistered, logger });
    this.#listener = new Listener({
      url: database.url,
      channels: ['rafiki_trial', 'rafiki_stop', 'rafiki_round'],
      onNotify: (channel, payload) => this.#hint(channel, payload),
      onConnect: () => this.#wake.notify(),
      logger,
    });
  }

  async start(): Promise<void> {
    await ensureUsableDir(this.#cacheDir);
    this.#own = await loadFamilies(this.#options.sources ?? []);
    addFamilies(this.#own);
    await startAll([this.#heartbeat, this.#listener]);
    this.#loop = this.#work();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#run?.release();
    this.#joined?.leave();
    await this.#loop;
    await stopAll([this.#heartbeat, this.#listener]);
  }

  measured(): readonly Measured[] {
    return this.#counts.measured();
  }

  #hint(channel: string, payload: string): void {
    if (channel === 'rafiki_trial') {
      this.#wake.notify();
      this.#joined?.checkSoon();
    } else if (channel === 'rafiki_round') {
      if (payload === String(this.#run?.trialId)) this.#run?.teamChanged();
      if (payload === String(this.#joined?.trialId)) this.#joined?.notify();
    } else if (payload === String(this.#run?.trialId)) this.#run?.checkSoon();
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

  /** Trains the next waiting trial; returns false if there is none. */
  async #next(): Promise<boolean> {
    const processId = this.#heartbeat.id;
    if (processId === undefined) return false;
    await this.#sweep();
    const run = await this.#claim(processId);
    if (run === undefined) return this.#join(processId);
    await this.#lead(run);
    return true;
  }

  async #claim(processId: number): Promise<TrialRun | undefined> {
    const { database, logger } = this.#options;
    const options = await this.#runOptions(); // a trial that has been claimed must be run
    const [cached, beingRead] = await Promise.all([this.#cache.cachedStudies(), this.#cache.beingRead()]);
    const trial = await claimTrial(database, processId, { families: familyNames(), cached, beingRead });
    if (trial === undefined) return undefined;
    logger.info({ trial: trial.trialId, attempt: trial.attempt, family: trial.family }, 'waiting → running');
    return new TrialRun(trial, options);
  }

  async #lead(run: TrialRun): Promise<void> {
    this.#run = run;
    if (this.#stopping.signal.aborted) run.release();
    const wasFit = await this.#counts.during('leading', () => run.run());
    this.#run = undefined;
    if (wasFit) this.#unfitInRow = 0;
    else await this.#pause();
  }

  /** Trains together with another worker until the trial ends, or this worker has claimed another one; false if there is no such trial, or it could not. */
  async #join(processId: number): Promise<boolean> {
    const { database, logger } = this.#options;
    const trial = await joinTrial(database, processId, { families: sharedFamilyNames(), avoided: this.#avoided });
    if (trial === undefined) return false;
    logger.info({ trial: trial.trialId, family: trial.family }, 'joined a trial of another worker');
    this.#joined = new JoinedRun(trial, await this.#runOptions(), () => this.#claim(processId));
    if (this.#stopping.signal.aborted) this.#joined.leave();
    const joined = this.#joined;
    const couldTrain = await this.#counts.during('joined', () => joined.run());
    if (!couldTrain) this.#avoided = [trial.trialId, ...this.#avoided].slice(0, MAX_AVOIDED);
    this.#joined = undefined;
    if (joined.claimed === undefined) return couldTrain;
    await this.#lead(joined.claimed);
    return true;
  }

  async #runOptions(): Promise<TrialRunOptions> {
    const { database, logger, sources = [], checkpointEveryMs = CHECKPOINT_EVERY_MS, yieldMs } = this.#options;
    const threads = await this.#threads();
    const machineThreads = this.#options.threads === 'shared' ? this.#options.cores : threads;
    return {
      ...{ database, params: this.#params, cache: this.#cache, roundFolders: this.#roundFolders },
      ...{ files: this.#files, vectorDir: path.join(this.#cacheDir, 'vectors') },
      ...{ threads, machineThreads, checkpointEveryMs, yieldMs, sources, logger },
    };
  }

  /** Leaves the trial to other workers meanwhile. */
  async #pause(): Promise<void> {
    await sleep(backoffMs(this.#unfitInRow++, UNFIT_PAUSE, createRng(process.pid)), this.#stopping.signal);
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
    await this.#roundFolders.sweep();
  }
}
