import { type BatchRange, type Round, type RoundPace, shareOf, type Team } from '../../domain/joint-training.ts';
import type { TrainingSpec } from '../../domain/training.ts';
import type { Trainer } from '../../engine/trainer.ts';
import type { Network } from '../../graph/network.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { PreparedTrial } from '../trial.ts';
import { basisOf } from './basis.ts';
import { ErrorFeedback } from './error-feedback.ts';
import { addChange, bufferFlags, changeOf } from './flat-weights.ts';
import { type OuterOptions, OuterStep, type WorkerWeights } from './outer-step.ts';
import { RoundLength, roundBatches } from './round-length.ts';

/** The mean as it is: a worker alone is then trained as without rounds. */
const OUTER: OuterOptions = { rate: 1, momentum: 0 };

/** The team of a worker that trains alone. */
export const ALONE: Team = {
  next: () => ({ seats: 1, needAll: false }),
  begin: async () => undefined,
  collect: async () => [],
};

/** What the leading worker trains next. */
export interface OwnShare {
  range: BatchRange;
  /** Of all workers. */
  batches: number;
  seats: number;
  /** Null if it trains alone. */
  round: Round | null;
}

/** The rounds of a trial, as its leading worker makes them. */
export class Rounds {
  readonly #trainer: Trainer;
  readonly #team: Team;
  readonly #spec: TrainingSpec;
  #basis: string | undefined;
  readonly #run: number;
  readonly #network: Network;
  /** See {@link bufferFlags}; of the first round on. */
  #buffers: Uint8Array | undefined;
  readonly #outer: OuterStep;
  readonly #length: RoundLength;
  readonly #feedback = new ErrorFeedback();
  /** The weights that the current round started from, as all workers have them. */
  #common: Float32Array = new Float32Array(0);
  #number = 0;
  /** What the others lack of `#common`. */
  #unsent: Uint16Array | undefined;
  #pace: RoundPace | null = null;
  readonly #batch: number;

  constructor(trial: PreparedTrial, trainer: Trainer, team: Team, outer: OuterOptions = OUTER) {
    this.#trainer = trainer;
    this.#team = team;
    this.#spec = trial.spec;
    this.#run = trial.recipe.stepsPerRun;
    this.#batch = trial.batch;
    this.#outer = new OuterStep(outer);
    this.#length = new RoundLength(this.#run);
    this.#network = trial.network;
  }

  /** Starts what comes next of an epoch of which `left` batches are left: a round, or a run of this worker alone. */
  async begin(at: Pick<Round, 'epoch' | 'epochs' | 'step'>, left: number): Promise<OwnShare> {
    const team = this.#team.next();
    const seats = Math.min(team.seats, left); // each has a batch at least
    const batches = roundBatches(left, { seats, each: this.#length.batches, run: this.#run });
    if (seats === 1) {
      this.#unsent = undefined; // the others miss what is trained alone
      return { range: { from: at.step, to: at.step + batches }, batches, seats, round: null };
    }
    this.#basis ??= basisOf(this.#spec);
    const round = { ...at, number: ++this.#number, batches, seats, basis: this.#basis };
    await this.#start(round, team.needAll);
    return { range: shareOf(round, 0), batches, seats, round };
  }

  async #start(round: Round, needAll: boolean): Promise<void> {
    const change = this.#unsent;
    this.#unsent = undefined;
    if (!needAll && change !== undefined) {
      await this.#team.begin(round, { kind: 'change', halves: change }, this.#pace);
      return;
    }
    this.#common = this.#trainer.flatWeights();
    this.#feedback.reset();
    await this.#team.begin(round, { kind: 'all', values: this.#common }, this.#pace);
  }

  /** Ends a round whose own share this worker has trained: its weights become those of all. */
  async end({ range, round }: OwnShare, trainSeconds: number): Promise<void> {
    if (round === null) return;
    const startedMs = systemClock.nowMs();
    const batches = range.to - range.from;
    const changes = await this.#team.collect(round);
    const before = this.#common;
    const workers: WorkerWeights[] = [
      { weights: this.#trainer.flatWeights(), batches },
      ...changes.map((change) => ({ weights: addChange(before, change.halves), batches: change.batches })),
    ];
    this.#buffers ??= bufferFlags(this.#network);
    const next = this.#outer.next(before, workers, this.#buffers);
    const halves = this.#feedback.encode(changeOf(before, next));
    this.#common = addChange(before, halves);
    this.#unsent = halves;
    this.#trainer.replaceWeights(this.#common);
    const exchangeSeconds = (systemClock.nowMs() - startedMs) / 1000;
    this.#pace = {
      rowsPerSecond: (batches * this.#batch) / trainSeconds,
      exchangeShare: exchangeSeconds / (trainSeconds + exchangeSeconds),
    };
    this.#length.add({ batches, trainSeconds, exchangeSeconds });
  }
}
