import {
  type GrowingTeam,
  type Round,
  type RoundPace,
  rowsOfSeat,
  type SumsOffer,
} from '../../domain/joint-training.ts';
import { MAX_WORKERS_PER_TRIAL } from '../../domain/study-limits.ts';
import type { Booster } from '../booster.ts';
import { alone } from '../grow.ts';
import type { Tree } from '../tree.ts';
import { flatTrees, joinSums, splitSums } from './flat-sums.ts';
import { Payoff } from './payoff.ts';

/** Attempts at a round of trees with others, each of which loses a worker or finds another one; then it is grown alone. */
const MAX_ATTEMPTS = 8;

/** Of the longest that a worker takes for a tree's answer for a row, by which it finds the scores of rows that are new to it. */
const CATCH_UP_NS = 100;

export interface LeadingGrowth extends GrowingTeam {
  booster: Booster;
  /** Of all shares. */
  rows: number;
  /** See `BoostingObjective`. */
  maxOfRow: number;
  payoff?: Pick<Payoff, 'pays' | 'addAlone' | 'addTogether'>;
}

type GrowthPlace = Pick<Round, 'epoch' | 'epochs' | 'step'>;

/**
 * Grows a forest with other workers, or alone while there are none, to the same trees. Each has a range of the rows. The sums of an exchange
 * begin the next one, also where that belongs to the next round of trees; workers come and go between two rounds of trees.
 */
export class LeadingForest {
  readonly #options: LeadingGrowth;
  readonly #payoff: Pick<Payoff, 'pays' | 'addAlone' | 'addTogether'>;
  #number: number;
  #seats = 1;
  /** The exchange that the others work at, and what it began with; undefined: none. */
  #current: { round: Round; kind: SumsOffer['kind'] } | undefined;
  #pace: RoundPace | null = null;

  constructor(options: LeadingGrowth) {
    this.#options = options;
    this.#payoff = options.payoff ?? new Payoff();
    this.#number = options.team.lastRound;
  }

  /** The next round of trees. */
  async grow(at: GrowthPlace): Promise<readonly Tree[]> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (!(await this.#isJoint(at))) break;
      const grown = await this.#together(at);
      if (grown !== null) return grown;
      this.#current = undefined; // nothing of a round that was not finished is kept
    }
    this.#current = undefined;
    return this.#alone();
  }

  #alone(): readonly Tree[] {
    const { booster, team, rows } = this.#options;
    const startedMs = team.nowMs();
    booster.share({ from: 0, to: rows });
    const grown = alone(booster.round());
    this.#payoff.addAlone(team.nowMs() - startedMs);
    return grown;
  }

  /** Whether others take part in the next round of trees, which they then work at. */
  async #isJoint(at: GrowthPlace): Promise<boolean> {
    const { booster, team, rows } = this.#options;
    if (!this.#payoff.pays || rows < MAX_WORKERS_PER_TRIAL) return false;
    if (this.#current !== undefined) return true;
    const { seats } = await team.next();
    if (seats === 1) return false;
    this.#seats = seats;
    booster.share(rowsOfSeat(rows, 0, seats));
    await this.#offer(at, { kind: 'trees', trees: flatTrees(booster.forest.trees) });
    return true;
  }

  /** Null if one of the others is lost, or others wait. */
  async #together(at: GrowthPlace): Promise<readonly Tree[] | null> {
    const { booster, team } = this.#options;
    const isContinued = this.#current?.kind === 'sums';
    const startedMs = team.nowMs();
    let ownMs = 0;
    const timed = <T>(work: () => T): T => {
      const beforeMs = team.nowMs();
      const result = work();
      ownMs += team.nowMs() - beforeMs;
      return result;
    };
    const growth = booster.round();
    let step = timed(() => growth.next());
    for (let exchange = 0; step.done !== true; exchange++) {
      const own = step.value;
      const sums = await this.#collect(own);
      if (sums === null || (exchange === 0 && isContinued && (await this.#othersChanged()))) return null;
      await this.#offer(at, { kind: 'sums', sums });
      step = timed(() => growth.next(splitSums(sums, own)));
    }
    this.#note(ownMs, team.nowMs() - startedMs, isContinued);
    return step.value;
  }

  async #othersChanged(): Promise<boolean> {
    const { seats, needAll } = await this.#options.team.next();
    return needAll || seats !== this.#seats;
  }

  async #offer(at: GrowthPlace, offer: SumsOffer): Promise<void> {
    const { team, basis } = this.#options;
    const { epoch, epochs, step } = at;
    const round = { epoch, epochs, step, batches: 1, number: ++this.#number, seats: this.#seats, basis };
    this.#current = { round, kind: offer.kind };
    await team.begin(round, offer, this.#pace);
  }

  /** The sums of all; null if they are not complete. */
  async #collect(own: readonly Float64Array[]): Promise<Float64Array | null> {
    const { team, booster, rows, maxOfRow } = this.#options;
    if (this.#current === undefined) return null;
    const { round, kind } = this.#current;
    const sums = joinSums(own);
    const maxRows = Math.ceil(rows / round.seats);
    const catchUpMs = kind === 'trees' ? (CATCH_UP_NS / 1e6) * maxRows * booster.forest.trees.length : 0;
    const answers = await team.collectSums(round, { length: sums.length, maxRows, maxOfRow, catchUpMs });
    for (const answer of answers ?? [])
      for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (answer.sums[i] as number);
    return answers === null ? null : sums;
  }

  /** What workers that have just come take for rows that are new to them says nothing about later rounds. */
  #note(ownMs: number, ms: number, isContinued: boolean): void {
    const { from, to } = rowsOfSeat(this.#options.rows, 0, this.#seats);
    this.#pace = { rowsPerSecond: (1000 * (to - from)) / ownMs, exchangeShare: Math.max(0, 1 - ownMs / ms) };
    if (isContinued) this.#payoff.addTogether({ ms, ownMs, seats: this.#seats });
  }
}
