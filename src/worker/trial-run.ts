import { isTransient, persist } from '../db/persist.ts';
import type { ClaimedTrial } from '../db/statements/claims.ts';
import { insertReport } from '../db/statements/reports.ts';
import { setIncumbentScore, setReaderNotice } from '../db/statements/studies.ts';
import { loseTrial, transitionTrial } from '../db/statements/transitions.ts';
import { renewLease, setCheckpoint, setKnobs } from '../db/statements/trials.ts';
import { setPublished } from '../db/statements/warm-starts.ts';
import type { Knobs } from '../domain/hyper-space.ts';
import type { ParamSet } from '../domain/tensor.ts';
import type { TrainingReport } from '../domain/training.ts';
import { LeaseLost, ReaderRefused, WorkerWanted } from '../errors/errors.ts';
import { isMachineFault } from '../errors/machine-fault.ts';
import { type ErrorReport, reportError } from '../errors/rafiki-error.ts';
import { failpoint } from '../runtime/failpoint.ts';
import { LONGEST_TIMER_MS } from '../runtime/timer.ts';
import { Wake } from '../runtime/wake.ts';
import type { FromChild } from '../training/messages.ts';
import { loadWarmStart, prepareAssignment, type TrialRunOptions } from './assignment.ts';
import { type Finished, storeResult } from './result.ts';
import { TrainingProcess } from './training-process.ts';

type TrialOutcome =
  | ({ kind: 'finished' } & Finished)
  | { kind: 'failed'; error: ErrorReport }
  /** The training process died; whether another attempt is made depends on how many there were. */
  | { kind: 'crashed'; cause: string }
  /** The worker stops, or is needed elsewhere: the trial waits for another one, and no attempt is counted. */
  | { kind: 'released' }
  /** Its source cannot be read by this worker: as released, but the worker waits before it takes another one. */
  | { kind: 'refused'; error: ReaderRefused }
  /** As well where this machine cannot do it. */
  | { kind: 'unfit'; error: ErrorReport }
  /** The trial is somebody else's now, or cancelled: nothing may be written any more. */
  | { kind: 'lost' };

/** Three heartbeats fit into a lease: two may fail before it ends. */
const HEARTBEAT_MS = 4_000;
/** Any role may send a NOTIFY: beside these heartbeats there is one at a time, no more often than this. */
const MIN_LOOK_MS = 500;
/** How long a stopping worker waits for a last checkpoint: who presses Ctrl-C waits with it, and the one before is seconds old. */
const LAST_CHECKPOINT_MS = 1_500;
/** Nobody waits for a study that is paused: what is lost is trained again. */
const PAUSE_CHECKPOINT_MS = 60_000;

/** One claimed trial, from its data to its result. Everything written names the attempt, so a worker that lost it writes nothing. */
export class TrialRun {
  readonly #trial: ClaimedTrial;
  readonly #options: TrialRunOptions;
  readonly #ended = new AbortController();
  readonly #wake = new Wake(MIN_LOOK_MS);
  #decide: (outcome: TrialOutcome) => void = () => undefined;
  readonly #outcome: Promise<TrialOutcome>;
  #process: TrainingProcess | undefined;
  #handling: Promise<void> = Promise.resolve();
  #releasing = false;

  constructor(trial: ClaimedTrial, options: TrialRunOptions) {
    this.#trial = trial;
    this.#options = options;
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

  /** Returns when the trial has ended, one way or another, and its process is gone; false if this worker could not do it at all. */
  async run(): Promise<boolean> {
    const heartbeat = setInterval(() => void this.#heartbeat(), HEARTBEAT_MS);
    void this.#keepLooking();
    try {
      void this.#begin();
      const outcome = await this.#outcome;
      await this.#process?.kill();
      await this.#handling;
      await this.#settle(outcome);
      return outcome.kind !== 'refused' && outcome.kind !== 'unfit';
    } catch (error) {
      this.#options.logger.warn({ trial: this.trialId, err: reportError(error) }, 'the trial is left to its lease');
      return true;
    } finally {
      clearInterval(heartbeat);
      this.#ended.abort();
    }
  }

  /** Something may have happened to the trial: the rows tell. */
  lookSoon(): void {
    this.#wake.poke();
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await this.#wake.wait(LONGEST_TIMER_MS, signal);
      if (!signal.aborted) await this.#heartbeat();
    }
  }

  /** Extends the lease, and learns whether the trial is still ours. */
  async #heartbeat(): Promise<void> {
    try {
      const held = await renewLease(this.#options.database, this.#trial);
      if (held === undefined) this.#decide({ kind: 'lost' });
      else if (held.paused && !this.#releasing) this.release(PAUSE_CHECKPOINT_MS);
      else if (held.stop) this.#process?.tell({ kind: 'stop' });
    } catch (error) {
      this.#options.logger.warn({ trial: this.trialId, err: reportError(error).message }, 'heartbeat failed');
    }
  }

  /** Gives the trial back, with a checkpoint of where it is if that comes soon. */
  release(waitMs = LAST_CHECKPOINT_MS): void {
    this.#releasing = true;
    if (this.#process === undefined) this.#decide({ kind: 'released' });
    else {
      this.#process.tell({ kind: 'checkpoint' });
      setTimeout(() => this.#decide({ kind: 'released' }), waitMs).unref();
    }
  }

  async #begin(): Promise<void> {
    try {
      const { signal } = this.#ended;
      const assignment = await this.#persist(() => prepareAssignment(this.#trial, this.#options, signal));
      if (signal.aborted) return;
      this.#process = new TrainingProcess(assignment, {
        onMessage: (message) => {
          this.#handling = this.#handling.then(() => this.#handle(message)).catch((error) => this.#fail(error));
        },
        onEnd: (cause) => void this.#handling.then(() => this.#decide({ kind: 'crashed', cause })),
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  async #handle(message: FromChild): Promise<void> {
    if (this.#ended.signal.aborted) return;
    switch (message.kind) {
      case 'began':
        return;
      case 'incumbent':
        return this.#persist(() => setIncumbentScore(this.#options.database, this.#trial.study.id, message));
      case 'knobs':
        return this.#changeKnobs(message.knobs);
      case 'start':
        return this.#start(message);
      case 'publish':
        return this.#publish(message);
      case 'report':
        return this.#report(message.report);
      case 'checkpoint':
        return this.#checkpoint(message.params);
      case 'finished':
        return this.#decide(message);
      case 'failed':
        return this.#decide(message);
    }
  }

  async #changeKnobs(knobs: Knobs): Promise<void> {
    const { database, logger } = this.#options;
    if (!(await this.#persist(() => setKnobs(database, this.#trial, knobs)))) throw leaseLost(this.trialId);
    logger.info({ trial: this.trialId, knobs }, 'a smaller network than asked for, as time is short');
  }

  async #report(report: TrainingReport): Promise<void> {
    const answer = await this.#persist(() => insertReport(this.#options.database, this.#trial, report));
    if (answer === undefined) throw leaseLost(this.trialId);
    failpoint('worker.after-report');
    this.#process?.tell({ kind: 'answer', answer: answer.stop ? 'stop' : 'continue', put: answer.put });
  }

  async #start({ wanted, basis }: Extract<FromChild, { kind: 'start' }>): Promise<void> {
    const tensors = await this.#persist(() => loadWarmStart(this.#trial, { wanted, basis }, this.#options));
    this.#process?.tell({ kind: 'start', tensors });
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
    this.#process?.tell({ kind: 'stored' });
  }

  #persist<T>(work: () => Promise<T>): Promise<T> {
    return persist(work, this.#options.logger, this.#ended.signal);
  }

  /** An error of the trial's own ends it; one of the database's leaves it to its lease, one of this machine's to other workers. */
  #fail(error: unknown): void {
    if (error instanceof ReaderRefused) this.#decide({ kind: 'refused', error });
    else if (error instanceof WorkerWanted) this.#decide({ kind: 'released' });
    else if (error instanceof LeaseLost || isTransient(error)) this.#decide({ kind: 'lost' });
    else if (isMachineFault(error)) this.#decide({ kind: 'unfit', error: reportError(error) });
    else this.#decide({ kind: 'failed', error: reportError(error) });
  }

  async #settle(outcome: TrialOutcome): Promise<void> {
    const { database, logger } = this.#options;
    const owner = this.#trial;
    const mover = { on: database, logger };
    const from = { id: owner.trialId, from: 'running', owner } as const;
    switch (outcome.kind) {
      case 'finished':
        return storeResult(owner, outcome, this.#options);
      case 'failed':
        return void (await transitionTrial(mover, { ...from, event: 'fail', error: outcome.error }));
      case 'crashed':
        return void (await loseTrial(mover, { id: owner.trialId, attempt: owner.attempt, owner }, outcome.cause));
      case 'unfit':
        logger.error({ trial: owner.trialId, err: outcome.error }, 'this machine cannot train it');
        return void (await transitionTrial(mover, { ...from, event: 'lose-lease', error: outcome.error }));
      case 'released':
        return void (await transitionTrial(mover, { ...from, event: 'lose-lease' }));
      case 'refused':
        logger.error(
          { trial: owner.trialId, err: reportError(outcome.error) },
          'no source can be read; the trial waits',
        );
        await setReaderNotice(database, owner.study.id, true);
        return void (await transitionTrial(mover, { ...from, event: 'lose-lease' }));
      case 'lost':
        return logger.warn({ trial: owner.trialId, attempt: owner.attempt }, 'the trial is no longer ours');
    }
  }
}

const leaseLost = (trialId: number): LeaseLost => new LeaseLost(`trial ${trialId} is no longer this worker's`);
