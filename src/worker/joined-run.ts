import { persist } from '../db/persist.ts';
import {
  insertChange,
  isTrialWaiting,
  type JoinedTrial,
  leaveTrial,
  renewJoining,
  type StoredRound,
  selectRound,
  setWaiting,
  type TrainedRound,
} from '../db/statements/joint-training.ts';
import { canBegin, type JoinedRound, type WaitingWorker } from '../domain/joint-training.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { reportedError } from '../errors/reported.ts';
import { familyNames } from '../models/registry.ts';
import { deriveSeed } from '../runtime/rng.ts';
import { Wake } from '../runtime/wake.ts';
import { removeWorkerFile } from '../training/joint/folder.ts';
import type { FromChild, JoinAssignment } from '../training/messages.ts';
import { pretrainedOf, shardOf, trialInput } from './assignment.ts';
import { HEARTBEAT_MS, MIN_CHECK_MS, MIN_ROUND_CHECK_MS, ROUND_POLL_MS } from './polling.ts';
import { loadWeights, saveChange } from './round-params.ts';
import type { TrialRunOptions } from './run-options.ts';
import { TrainingProcess } from './training-process.ts';
import type { TrialRun } from './trial-run.ts';

/** Claims a waiting trial for this worker, if there is one. */
type Claim = () => Promise<TrialRun | undefined>;

/**
 * Trains shares of a trial that another worker owns, until the trial ends or this worker has claimed another one. Nothing
 * is lost if it ends at any moment: its round continues without it.
 */
export class JoinedRun {
  readonly #trial: JoinedTrial;
  readonly #options: TrialRunOptions;
  readonly #claim: Claim;
  readonly #ended = new AbortController();
  readonly #wake = new Wake(MIN_ROUND_CHECK_MS);
  readonly #checkWake = new Wake(MIN_CHECK_MS);
  #process: TrainingProcess | undefined;
  #handling: Promise<void> = Promise.resolve();
  /** See {@link WaitingWorker}. */
  #waits: Omit<WaitingWorker, 'processId'> = { has: null, after: 0 };
  #isKnown = false;
  /** Of a trial of this machine, whose rounds are not read here. */
  #trained: TrainedRound | null = null;
  #failed = false;
  #claimed: TrialRun | undefined;

  constructor(trial: JoinedTrial, options: TrialRunOptions, claim: Claim) {
    this.#trial = trial;
    this.#options = options;
    this.#claim = claim;
  }

  get trialId(): number {
    return this.#trial.trialId;
  }

  /** The trial for which it has left this one. */
  get claimed(): TrialRun | undefined {
    return this.#claimed;
  }

  /** Rounds of the trial have changed. */
  notify(): void {
    this.#wake.notify();
  }

  /** Another trial may wait for this worker. */
  checkSoon(): void {
    this.#checkWake.notify();
  }

  /** Ends soon. */
  leave(): void {
    this.#ended.abort();
    this.#wake.notify();
  }

  /** False if this worker cannot train shares of the trial. */
  async run(): Promise<boolean> {
    const { logger, database } = this.#options;
    const { signal } = this.#ended;
    const heartbeat = setInterval(() => this.checkSoon(), HEARTBEAT_MS);
    const heartbeats = this.#checkWake.repeat(() => this.#heartbeat(), signal); // one at a time: each may claim a trial
    const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    try {
      const assignment = await this.#assignment();
      if (signal.aborted) return true;
      this.#process = new TrainingProcess(assignment, {
        onMessage: (message) => {
          this.#handling = this.#handling.then(() => this.#handle(message)).catch((error) => this.#fail(error));
        },
        onEnd: (cause) => this.#fail(new Error(cause)),
      });
      await ended;
    } catch (error) {
      this.#fail(error);
    } finally {
      clearInterval(heartbeat);
      this.leave();
      await heartbeats;
      await this.#process?.kill();
      await this.#handling;
      this.#removeFile();
      await leaveTrial(database, this.#trial).catch((error: unknown) => {
        logger.warn(
          { trial: this.trialId, err: reportError(error) },
          'could not leave the trial; its place expires with its lease',
        );
      });
    }
    return !this.#failed;
  }

  /** The leading worker waits for none that has left. */
  #removeFile(): void {
    const { roundFolders, logger } = this.#options;
    const folder = roundFolders.find(this.#trial);
    try {
      if (folder !== null) removeWorkerFile(folder, this.#trial.processId);
    } catch (error) {
      logger.warn(
        { trial: this.trialId, err: reportError(error) },
        'could not delete the file of a worker that leaves',
      );
    }
  }

  async #assignment(): Promise<JoinAssignment> {
    const { cache, roundFolders } = this.#options;
    const { study, seed, processId, shard } = this.#trial;
    const dataFile = await cache.file(study, { signal: this.#ended.signal });
    return {
      kind: 'join',
      ...trialInput(this.#trial, this.#options, { dataFile, shard: await shardOf(this.#trial, dataFile, shard) }),
      ...(await pretrainedOf(this.#trial, this.#options)),
      noiseSeed: deriveSeed(seed, processId),
      processId,
      folder: roundFolders.find(this.#trial),
    };
  }

  /** Leaves for a trial that waits once this worker has claimed it: of many that have joined, not all leave for one. */
  async #heartbeat(): Promise<void> {
    const { database, logger } = this.#options;
    try {
      const continues = await renewJoining(database, this.#trial, this.#trained);
      if (continues && (await isTrialWaiting(database, this.#trial.processId, familyNames())))
        this.#claimed = await this.#claim();
      if (!continues || this.#claimed !== undefined) this.leave();
    } catch (error) {
      logger.warn({ trial: this.trialId, err: reportError(error).message }, 'heartbeat failed');
    }
  }

  async #handle(message: FromChild): Promise<void> {
    if (this.#ended.signal.aborted) return;
    if (message.kind === 'next-round') this.#process?.send({ kind: 'round', next: await this.#next() });
    else if (message.kind === 'change') await this.#store(message);
    else if (message.kind === 'trained') this.#trained = message;
    else if (message.kind === 'left') this.leave();
    else if (message.kind === 'failed') this.#fail(reportedError(message.error));
  }

  /** Waits for the next round; null when this worker leaves the trial. */
  async #next(): Promise<JoinedRound | null> {
    const { database } = this.#options;
    const { signal } = this.#ended;
    if (!this.#isKnown) await this.#sayWaiting();
    while (!signal.aborted) {
      const newest = await this.#persist(() => selectRound(database, this.#trial, this.#waits.after));
      if (newest !== undefined) {
        const begun = await this.#begin(newest);
        if (begun !== null) return begun;
        await this.#sayWaiting(); // it has missed one that it was offered, or there were too many workers
      }
      await this.#wake.wait(ROUND_POLL_MS, signal);
    }
    return null;
  }

  async #begin({ plan: round, seat, paramsId }: StoredRound): Promise<JoinedRound | null> {
    this.#waits = { ...this.#waits, after: round.number };
    if (seat === null || paramsId === null) return null;
    const weights = await this.#persist(() => loadWeights(this.#options.params, paramsId));
    if (!canBegin(this.#waits, round, weights)) return null;
    this.#waits = { has: round.number, after: round.number };
    return { round, seat, weights };
  }

  async #sayWaiting(): Promise<void> {
    await this.#persist(() => setWaiting(this.#options.database, this.#trial, this.#waits));
    this.#isKnown = true;
  }

  async #store({ round, change }: Extract<FromChild, { kind: 'change' }>): Promise<void> {
    const { database, params } = this.#options;
    const paramsId = await this.#persist(() => saveChange(params, change));
    const { rows, seconds } = change;
    await this.#persist(() => insertChange(database, this.#trial, { number: round.number, rows, seconds, paramsId }));
  }

  #persist<T>(work: () => Promise<T>): Promise<T> {
    return persist(work, this.#options.logger, this.#ended.signal);
  }

  #fail(error: unknown): void {
    if (this.#ended.signal.aborted) return;
    this.#options.logger.warn({ trial: this.trialId, err: reportError(error) }, 'left a trial of another worker');
    this.#failed = true;
    this.leave();
  }
}
