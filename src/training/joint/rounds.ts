import { type Round, type RoundPace, shareOf, type Team, type WeightChange } from '../../domain/joint-training.ts';
import type { TrainingSpec } from '../../domain/training.ts';
import type { Trainer } from '../../engine/trainer.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { PreparedTrial } from '../trial.ts';
import { basisOf } from './basis.ts';
import { ErrorFeedback } from './error-feedback.ts';
import { fromHalf } from './half.ts';
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

/** The rounds of a trial, as its leading worker makes them. */
export class Rounds {
  readonly #trainer: Trainer;
  readonly #team: Team;
  readonly #spec: TrainingSpec;
  #basis: string | undefined;
  readonly #run: number;
  readonly #isStatistic: (index: number) => boolean;
  readonly #outer: OuterStep;
  readonly #length: RoundLength;
  readonly #feedback = new ErrorFeedback();
  /** The weights that the current round started from, as all workers have them. */
  #common: Float32Array;
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
    this.#isStatistic = statisticsOf(trial);
    this.#common = trainer.flatWeights();
  }

  /** Starts the next round of an epoch of which `left` batches are left. */
  async begin(at: Pick<Round, 'epoch' | 'epochs' | 'step'>, left: number): Promise<Round> {
    const team = this.#team.next();
    const seats = Math.min(team.seats, left); // each has a batch at least
    const each = this.#length.batches;
    const batches = roundBatches(left, { seats, each, run: this.#run });
    if (seats === 1) {
      this.#unsent = undefined; // the others miss what is trained alone
      return { ...at, number: this.#number, batches, seats, basis: '' };
    }
    this.#basis ??= basisOf(this.#spec);
    const round = { ...at, number: ++this.#number, batches, seats, basis: this.#basis };
    await this.#start(round, team.needAll);
    return round;
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
  async end(round: Round, trainSeconds: number): Promise<void> {
    if (round.seats === 1) return;
    const startedMs = systemClock.nowMs();
    const own = shareOf(round, 0);
    const changes = await this.#team.collect(round);
    const before = this.#common;
    const workers: WorkerWeights[] = [
      { weights: this.#trainer.flatWeights(), batches: own.to - own.from },
      ...changes.map((change) => ({ weights: changed(before, change), batches: change.batches })),
    ];
    const next = this.#outer.next(before, workers, this.#isStatistic);
    const halves = this.#feedback.encode(next.map((value, i) => value - (before[i] ?? 0)));
    this.#common = changed(before, { halves });
    this.#unsent = halves;
    this.#trainer.replaceWeights(this.#common);
    const exchangeSeconds = (systemClock.nowMs() - startedMs) / 1000;
    const batches = own.to - own.from;
    this.#pace = {
      rowsPerSecond: (batches * this.#batch) / trainSeconds,
      exchangeShare: exchangeSeconds / (trainSeconds + exchangeSeconds),
    };
    this.#length.add({ batches, trainSeconds, exchangeSeconds });
  }
}

/** The weights after a change in half precision. */
export function changed(before: Float32Array, { halves }: Pick<WeightChange, 'halves'>): Float32Array {
  const change = fromHalf(halves);
  return before.map((value, i) => value + (change[i] ?? 0));
}

/** Whether a flat weight's place is a running statistic of batch norm. */
function statisticsOf({ network }: PreparedTrial): (index: number) => boolean {
  const marks: { end: number; buffer: boolean }[] = [];
  let end = 0;
  for (const { shape, buffer = false } of Object.values(network.parameters)) {
    end += shape.reduce((size, dim) => size * dim, 1);
    marks.push({ end, buffer });
  }
  const flags = new Uint8Array(end);
  let start = 0;
  for (const mark of marks) {
    if (mark.buffer) flags.fill(1, start, mark.end);
    start = mark.end;
  }
  return (index) => flags[index] === 1;
}
