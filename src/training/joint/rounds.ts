import {
  type Round,
  type RoundPace,
  type RowRange,
  shareOf,
  type Team,
  type WeightChange,
} from '../../domain/joint-training.ts';
import type { Trainer } from '../../engine/trainer.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { PreparedTrial } from '../trial.ts';
import { averageOf, averageTerms } from './averages.ts';
import { basisOf } from './basis.ts';
import { ErrorFeedback } from './error-feedback.ts';
import { addChange, bufferFlags, meanChange } from './flat-weights.ts';
import { localRecipe, localSteps, maxWorkers } from './local-steps.ts';
import { type OuterOptions, OuterStep } from './outer-step.ts';
import { RoundLength, roundBatches } from './round-length.ts';
import { scaleRareRows, tablesOf, type WeightTable } from './table-rows.ts';

// The files of this folder: `rounds` is the leading worker's side and `shares` that of the others; `team` says who takes part and how long it
// is waited for; `folder` and `parent` carry the messages, within a machine and between machines, and `ways` chooses. `local-steps` and
// `round-length` size what each trains; `outer-step`, `table-rows` and `averages` make the next weights of the workers'; `half` and
// `error-feedback` make what is sent small.

/** The mean as it is: a worker alone is then trained as without rounds. */
const OUTER: OuterOptions = { rate: 1, momentum: 0 };

/**
 * Steps of a round at least. In longer ones the workers of an image network drift apart: four trained ResNet as well as one in rounds of
 * four steps, and clearly worse in rounds of sixteen.
 */
const SHORTEST_ROUND = 4;

/** The team of a worker that trains alone. */
export const ALONE: Team = {
  lastRound: 0,
  nowMs: () => systemClock.nowMs(),
  next: async () => ({ seats: 1, needAll: false }),
  begin: async () => undefined,
  collect: async () => [],
};

/** What the leading worker trains next. */
export interface OwnShare {
  range: RowRange;
  /** Of all workers. */
  batches: number;
  seats: number;
  /** Null if it trains alone. */
  round: Round | null;
}

/** The rounds of a trial, as its leading worker makes them. */
export class Rounds {
  readonly #trial: PreparedTrial;
  readonly #trainer: Trainer;
  readonly #team: Team;
  #basis: string | undefined;
  /** See {@link bufferFlags}; of the first round on. */
  #buffers: Uint8Array | undefined;
  readonly #tables: readonly WeightTable[];
  readonly #outer: OuterStep;
  readonly #length = new RoundLength();
  readonly #feedback = new ErrorFeedback();
  /** The weights that the current round started from, as all workers have them. */
  #common: Float32Array = new Float32Array(0);
  /** Of the same size, and used again in each round: millions of new numbers take longer than what is computed with them. */
  #own: Float32Array = new Float32Array(0);
  #change: Float32Array = new Float32Array(0);
  #number: number;
  /** What the others lack of `#common`. */
  #unsent: Uint16Array | undefined;
  #pace: RoundPace | null = null;
  /** The moving averages of the weights, and the steps done, when it started. */
  #averages: Float32Array | null = null;
  #doneBefore = 0;
  /** When the current round was begun, and when this worker could begin its share. */
  #startMs = 0;
  #begunMs = 0;

  constructor(trial: PreparedTrial, trainer: Trainer, team: Team, outer: OuterOptions = OUTER) {
    this.#trial = trial;
    this.#trainer = trainer;
    this.#team = team;
    this.#number = team.lastRound;
    this.#outer = new OuterStep(outer);
    this.#tables = tablesOf(trial.network);
  }

  /** Starts what comes next of an epoch of which `left` batches are left: a round, or a run of this worker alone. */
  async begin(at: Pick<Round, 'epoch' | 'epochs' | 'step'>, left: number): Promise<OwnShare> {
    const { batch, spec } = this.#trial;
    const team = await this.#team.next();
    const seats = Math.min(team.seats, maxWorkers(this.#trial, left));
    const batches = this.#batches(left, seats);
    if (seats === 1) {
      this.#unsent = undefined; // the others miss what is trained alone
      const range = { from: at.step * batch, to: (at.step + batches) * batch };
      return { range, batches, seats, round: null };
    }
    this.#startMs = this.#team.nowMs();
    this.#basis ??= basisOf(spec);
    const round = { ...at, number: ++this.#number, batches, seats, basis: this.#basis };
    await this.#start(round, team.needAll);
    this.#averages = this.#trainer.flatAverages(this.#averages ?? undefined);
    this.#doneBefore = this.#trainer.steps;
    this.#trainer.takeUses(); // of what was trained alone
    this.#begunMs = this.#team.nowMs();
    return { range: shareOf(round, 0, batch), batches, seats, round };
  }

  /** A worker alone has one run a round. */
  #batches(left: number, seats: number): number {
    const { batch, recipe } = this.#trial;
    if (seats === 1) return Math.min(left, recipe.stepsPerRun);
    const { span } = localSteps(this.#trial, seats);
    const min = Math.max(SHORTEST_ROUND * span, (this.#length.rows * seats) / batch);
    return roundBatches(left, Math.ceil(min));
  }

  async #start(round: Round, needAll: boolean): Promise<void> {
    const change = this.#unsent;
    this.#unsent = undefined;
    if (!needAll && change !== undefined) {
      await this.#team.begin(round, { kind: 'change', halves: change }, this.#pace);
      return;
    }
    this.#common = this.#trainer.flatWeights(this.#common);
    if (this.#own.length === 0) {
      this.#own = new Float32Array(this.#common.length);
      this.#change = new Float32Array(this.#common.length);
    }
    this.#feedback.reset();
    await this.#team.begin(round, { kind: 'all', values: this.#common }, this.#pace);
  }

  /** Ends a round whose own share this worker has trained: its weights become those of all. */
  async end({ range, round }: OwnShare): Promise<void> {
    if (round === null) return;
    const own = { rows: range.to - range.from, seconds: (this.#team.nowMs() - this.#begunMs) / 1000 };
    const ownUses = this.#trainer.takeUses();
    const before = this.#common;
    const maxRows = Math.ceil((round.batches * this.#trial.batch) / round.seats);
    const changes = await this.#team.collect(round, { weights: before.length, uses: ownUses.length, maxRows });
    const trained = this.#trainer.flatWeights(this.#own);
    const rows = changes.reduce((sum, sent) => sum + sent.rows, own.rows);
    const others = changes.map((sent) => ({ halves: sent.halves, fraction: sent.rows / rows }));
    const change = meanChange(before, { weights: trained, fraction: own.rows / rows }, others, this.#change);
    this.#buffers ??= bufferFlags(this.#trial.network);
    this.#outer.apply(change, this.#buffers);
    this.#scaleRareRows(change, [ownUses, ...changes.map(({ uses }) => uses)], round.seats);
    const halves = this.#feedback.encode(change);
    this.#common = addChange(before, halves, trained);
    this.#own = before;
    this.#unsent = halves;
    this.#trainer.replaceWeights(this.#common);
    this.#averageMeans(before, round.seats);
    this.#note(own, changes);
  }

  #scaleRareRows(change: Float32Array, uses: readonly Uint16Array[], seats: number): void {
    if (this.#tables.length === 0) return;
    const all = new Uint32Array(uses[0]?.length ?? 0);
    for (const each of uses)
      for (let row = 0; row < all.length; row++) all[row] = (all[row] as number) + (each[row] ?? 0);
    const { rate } = localSteps(this.#trial, seats);
    const steps = (this.#trainer.steps - this.#doneBefore) * uses.length;
    scaleRareRows(change, this.#tables, { uses: all, steps, workers: uses.length / rate });
  }

  /** The moving averages are those of the means, not of this worker's own path. */
  #averageMeans(before: Float32Array, seats: number): void {
    const { averageDecay } = localRecipe(this.#trial, localSteps(this.#trial, seats));
    if (this.#averages === null || averageDecay === undefined) return;
    const done = this.#doneBefore;
    const terms = averageTerms(averageDecay, { done, steps: this.#trainer.steps - done });
    this.#trainer.replaceAverages(averageOf(terms, { before: this.#averages, start: before, end: this.#common }));
  }

  /** Whatever a round takes beyond the slowest worker's training is the exchange. */
  #note(own: TimedShare, others: readonly TimedShare[]): void {
    const seconds = (this.#team.nowMs() - this.#startMs) / 1000;
    const trainSeconds = Math.max(own.seconds, ...others.map((other) => other.seconds));
    const exchangeSeconds = Math.max(0, seconds - trainSeconds);
    this.#pace = { rowsPerSecond: own.rows / own.seconds, exchangeShare: exchangeSeconds / seconds };
    this.#length.add({ rows: own.rows, trainSeconds, exchangeSeconds });
  }
}

type TimedShare = Pick<WeightChange, 'rows' | 'seconds'>;
