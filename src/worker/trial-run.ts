import { persist } from '../db/persist.ts';
import type { ClaimedTrial } from '../db/statements/claims.ts';
import { insertReport } from '../db/statements/reports.ts';
import { setIncumbentScore } from '../db/statements/studies.ts';
import { setCheckpoint, setFitted } from '../db/statements/trials.ts';
import { setPublished } from '../db/statements/warm-starts.ts';
import type { WantedChanges } from '../domain/joint-training.ts';
import type { ParamSet } from '../domain/tensor.ts';
import type { TrainingReport } from '../domain/training.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { systemClock } from '../runtime/clock.ts';
import { failpoint } from '../runtime/failpoint.ts';
import { Wake } from '../runtime/wake.ts';
import type { FromChild } from '../training/messages.ts';
import { prepareAssignment } from './assignment.ts';
import { HEARTBEAT_MS, LAST_CHECKPOINT_MS, MIN_CHECK_MS, MIN_ROUND_CHECK_MS, PAUSE_CHECKPOINT_MS } from './polling.ts';
import { RowsTransport } from './rows-transport.ts';
import type { TrialRunOptions } from './run-options.ts';
import { TrainingProcess } from './training-process.ts';
import { leaseLost, TrialLease } from './trial-lease.ts';
import {
  endOf,
  mayBeOfMachine,
  outcomeOf,
  settleTrial,
  type TrainingProgress,
  type TrialOutcome,
} from './trial-outcome.ts';
import { loadWarmStart } from './warm-start.ts';

/**
 * One claimed trial, from its data to its result. Every write names the attempt, so that a worker that lost the trial
 * writes nothing.
 */
export class TrialRun {
  readonly #trial: ClaimedTrial;
  readonly #claimedMs = systemClock.nowMs();
  readonly #options: TrialRunOptions;
  readonly #lease: TrialLease;
  readonly #ended = new AbortController();
  readonly #wake = new Wake(MIN_CHECK_MS);
  readonly #teamWake = new Wake(MIN_ROUND_CHECK_MS);
  #decide: (outcome: TrialOutcome) => void = () => undefined;
  readonly #outcome: Promise<TrialOutcome>;
  readonly #fail = (error: unknown): void => this.#decide(outcomeOf(error));
  #process: TrainingProcess | undefined;
  #handling: Promise<void> = Promise.resolve();
  /** Aborted when the trial is no longer this worker's: it may be storing the result then. */
  readonly #lost = new AbortController();
  #releasing = false;
  #progress: TrainingProgress = 'none';
  /** To the workers of other machines that train shares of the trial. */
  readonly #far: RowsTransport;

  constructor(trial: ClaimedTrial, options: TrialRunOptions) {
    this.#trial = trial;
    this.#options = options;
    this.#lease = new TrialLease(trial, options);
    this.#far = new RowsTransport(trial, { ...options, signal: this.#ended.signal });
    this.#outcome = new Promise((resolve) => {
      this.#decide = (outcome) => {
        resolve(outcome);
        this.#ended.abort();
      };
    });
  }

  get trialId(): number {
    return this.#trial.trialId;
  }

  /** Resolves when the trial and its process have ended; false if this machine could not train it, or may be at fault that it failed. */
  async run(): Promise<boolean> {
    const heartbeat = setInterval(() => void this.#heartbeat(), HEARTBEAT_MS);
    void this.#wake.repeat(() => this.#heartbeat(), this.#ended.signal);
    void this.#teamWake.repeat(() => this.#checkTeam(), this.#ended.signal);
    const begun = this.#begin();
    try {
      const outcome = await this.#outcome;
      await this.#process?.kill();
      await this.#handling;
      await settleTrial(this.#trial, outcome, { ...this.#options, signal: this.#lost.signal });
      return !mayBeOfMachine(outcome, this.#progress);
    } catch (error) {
      this.#options.logger.warn(
        { trial: this.trialId, err: reportError(error) },
        'the trial will be rescued when its lease expires',
      );
      return true;
    } finally {
      clearInterval(heartbeat);
      this.#ended.abort();
      await begun; // it may be about to make the folder
      await this.#options.roundFolders.remove(this.#trial);
    }
  }

  /** Other workers of the trial may be ready, or have sent what they learnt. */
  teamChanged(): void {
    this.#far.notify();
    this.#teamWake.notify();
  }

  async #checkTeam(): Promise<void> {
    try {
      this.#process?.send({ kind: 'team', waiting: await this.#far.waiting() });
    } catch (error) {
      this.#options.logger.warn({ trial: this.trialId, err: reportError(error).message }, 'the team is not known');
    }
  }

  /** The trial's row may have changed: checks it soon. */
  checkSoon(): void {
    this.#wake.notify();
  }

  /** Renews the lease; detects whether the trial is still owned by this worker. */
  async #heartbeat(): Promise<void> {
    try {
      const turn = await this.#lease.renew({ isTraining: this.#process !== undefined });
      if (turn === 'lost') this.#lost.abort();
      if (turn === 'lost' || turn === 'overdue') this.#decide({ kind: turn });
      else if (turn === 'release' && !this.#releasing) this.release(PAUSE_CHECKPOINT_MS);
      else if (turn === 'stop') this.#process?.send({ kind: 'stop' });
      this.#teamWake.notify();
      await this.#options.roundFolders.keep(this.#trial);
    } catch (error) {
      this.#options.logger.warn({ trial: this.trialId, err: reportError(error).message }, 'heartbeat failed');
    }
  }

  /** Releases the trial, with a checkpoint if one arrives soon. */
  release(waitMs = LAST_CHECKPOINT_MS): void {
    this.#releasing = true;
    if (this.#process === undefined) this.#decide({ kind: 'released' });
    else {
      this.#process.send({ kind: 'checkpoint' });
      setTimeout(() => this.#decide({ kind: 'released' }), waitMs).unref();
    }
  }

  async #begin(): Promise<void> {
    try {
      const { signal } = this.#ended;
      const folder = await this.#options.roundFolders.create(this.#trial);
      const assignment = await this.#persist(() =>
        prepareAssignment(this.#trial, this.#options, { claimedMs: this.#claimedMs, signal }),
      );
      if (signal.aborted) return;
      this.#process = new TrainingProcess(
        { ...assignment, folder },
        {
          onMessage: (message) => {
            this.#handling = this.#handling.then(() => this.#handle(message)).catch(this.#fail);
          },
          onEnd: (cause) => void this.#handling.then(() => this.#decide(endOf(cause, this.#progress))),
        },
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  async #handle(message: FromChild): Promise<void> {
    if (this.#ended.signal.aborted) return;
    switch (message.kind) {
      case 'began':
        this.#progress = 'begun';
        return;
      case 'incumbent':
        return this.#persist(() => setIncumbentScore(this.#options.database, this.#trial.study.id, message));
      case 'fitted':
        return this.#fitted(message);
      case 'warm-start':
        return this.#warmStart(message);
      case 'publish':
        return this.#publish(message);
      case 'report':
        return this.#report(message.report);
      case 'checkpoint':
        return this.#checkpoint(message.params);
      case 'begin-round':
        await this.#persist(() => this.#far.offer(message.offer, message.last));
        this.#process?.send({ kind: 'begun' });
        return;
      case 'show-round':
        return this.#persist(() => this.#far.show(message.shown));
      case 'collect':
        return this.#collect(message.wanted);
      case 'failed':
        return this.#decide({ kind: message.ofMachine ? 'unfit' : 'failed', error: message.error });
      case 'finished':
      case 'refitted':
      case 'crashed':
        return this.#decide(message);
      case 'next-round':
      case 'change':
      case 'trained':
      case 'left':
        throw new RangeError(`a leading process does not send ${message.kind}`);
    }
  }

  async #fitted({ kind, ...fitted }: Extract<FromChild, { kind: 'fitted' }>): Promise<void> {
    const { database, logger } = this.#options;
    if (!(await this.#persist(() => setFitted(database, this.#trial, fitted)))) throw leaseLost(this.trialId);
    logger.info({ trial: this.trialId, ...fitted }, `${kind} to the time`);
  }

  async #report(report: TrainingReport): Promise<void> {
    const decision = await this.#persist(() => insertReport(this.#options.database, this.#trial, report));
    if (decision === undefined) throw leaseLost(this.trialId);
    this.#progress = 'reported';
    failpoint('worker.after-report');
    this.#process?.send({ kind: 'decision', ...decision });
  }

  async #warmStart({ requested, basis }: Extract<FromChild, { kind: 'warm-start' }>): Promise<void> {
    const tensors = await this.#persist(() => loadWarmStart(this.#trial, { requested, basis }, this.#options));
    this.#process?.send({ kind: 'warm-start', tensors });
  }

  async #publish({ weights, score, basis }: Extract<FromChild, { kind: 'publish' }>): Promise<void> {
    const { database, params } = this.#options;
    const paramsId = await this.#persist(() => params.publish(weights, basis));
    if (!(await this.#persist(() => setPublished(database, this.#trial, { paramsId, score }))))
      throw leaseLost(this.trialId);
    failpoint('worker.after-publish');
  }

  async #checkpoint(checkpoint: ParamSet): Promise<void> {
    const { database, params } = this.#options;
    const id = await this.#persist(() => params.save('checkpoint', checkpoint));
    if (!(await this.#persist(() => setCheckpoint(database, this.#trial, id)))) throw leaseLost(this.trialId);
    failpoint('worker.after-checkpoint');
    if (this.#releasing) this.#decide({ kind: 'released' });
    this.#process?.send({ kind: 'stored' });
  }

  async #collect(wanted: WantedChanges): Promise<void> {
    const changes = await this.#persist(() => this.#far.collect(wanted));
    await this.#checkTeam();
    this.#process?.send({ kind: 'changes', changes });
  }

  #persist<T>(work: () => Promise<T>): Promise<T> {
    return persist(work, this.#options.logger, this.#ended.signal);
  }
}
