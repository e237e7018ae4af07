import type { Database } from '../db/database.ts';
import { isTransient } from '../db/persist.ts';
import type { ClaimedTrial } from '../db/statements/claims.ts';
import {
  insertRound,
  type NewRound,
  type StoredChange,
  selectChanges,
  selectWaitingWorkers,
} from '../db/statements/joint-training.ts';
import type {
  Offer,
  RoundPace,
  SentChange,
  SentSums,
  Transport,
  WaitingWorker,
  WantedChanges,
} from '../domain/joint-training.ts';
import { LeaseLost } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { ParamStore } from '../params/param-store.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { Wake } from '../runtime/wake.ts';
import type { ShownRound } from '../training/joint/team.ts';
import { MIN_ROUND_CHECK_MS, ROUND_POLL_MS } from './polling.ts';
import { loadChange, saveWeights } from './round-params.ts';

/** The way from the worker that owns a trial to those of other machines: rows and the parameter store. */
export class RowsTransport implements Transport {
  readonly #trial: ClaimedTrial;
  readonly #database: Database;
  readonly #params: ParamStore;
  readonly #logger: Logger;
  /** Aborted when the trial ends here. */
  readonly #signal: AbortSignal;
  readonly #wake = new Wake(MIN_ROUND_CHECK_MS);

  constructor(
    trial: ClaimedTrial,
    {
      database,
      params,
      signal,
      logger,
    }: { database: Database; params: ParamStore; signal: AbortSignal; logger: Logger },
  ) {
    this.#trial = trial;
    this.#database = database;
    this.#params = params;
    this.#signal = signal;
    this.#logger = logger;
  }

  /** Rows of the trial's rounds have changed. */
  notify(): void {
    this.#wake.notify();
  }

  waiting(): Promise<readonly WaitingWorker[]> {
    return selectWaitingWorkers(this.#database, this.#trial);
  }

  async offer({ round, processIds, weights }: Offer, last: RoundPace | null): Promise<void> {
    const paramsId = await saveWeights(this.#params, weights);
    await this.#insert({ plan: round, processIds, paramsId, last });
  }

  /** Keeps a round of workers that have it from elsewhere. */
  show({ round, processIds, last }: ShownRound): Promise<void> {
    return this.#insert({ plan: round, processIds, paramsId: null, last });
  }

  async #insert(round: NewRound): Promise<void> {
    if (await insertRound(this.#database, this.#trial, round)) return;
    throw new LeaseLost(`trial ${this.#trial.trialId} is no longer this worker's`);
  }

  async collect({ number, processIds, waitMs }: WantedChanges): Promise<(SentChange | SentSums)[]> {
    const untilMs = systemClock.nowMs() + waitMs;
    for (;;) {
      const all = await selectChanges(this.#database, this.#trial, number);
      const stored = all.filter(({ processId }) => processIds.includes(processId));
      const leftMs = untilMs - systemClock.nowMs();
      if (stored.length >= processIds.length || leftMs <= 0 || this.#signal.aborted) {
        return (await Promise.all(stored.map((change) => this.#load(change)))).flat();
      }
      await this.#wake.wait(Math.min(ROUND_POLL_MS, leftMs), this.#signal);
    }
  }

  /** Nothing if it is damaged: the round continues without it. */
  async #load({ paramsId, ...trained }: StoredChange): Promise<(SentChange | SentSums)[]> {
    try {
      return [{ ...trained, ...(await loadChange(this.#params, paramsId)) }];
    } catch (error) {
      if (isTransient(error)) throw error;
      this.#logger.warn(
        { process: trained.processId, err: reportError(error) },
        'a worker sent a share that cannot be read',
      );
      return [];
    }
  }
}
