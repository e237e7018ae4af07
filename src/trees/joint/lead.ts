import {
  forestBasis,
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
import { Payoff, type TreeRoundTimes } from './payoff.ts';

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
  payoff?: GrowthPayoff;
}

type GrowthPayoff = Pick<Payoff, 'pays' | 'isSpent' | 'addAlone' | 'addTogether' | 'addDropped'>;

/** What has gone into a round of trees so far. */
interface Effort {
  /** When it began; also attempts that failed have taken time. */
  startedMs: number;
  /** For the own share, in this attempt. */
  ownMs: number;
  /** Whether somebody waits for its end. */
  isAwaited(): boolean;
}

type GrowthPlace = Pick<Round, 'epoch' | 'epochs' | 'step'>;

/**
 * Grows a forest with other workers, or alone while there are none, to the same trees. Each has a range of the rows. The sums of an exchange
 * begin the next one, also where that belongs to the next round of trees; workers come and go between two rounds of trees.
 */
export class LeadingForest {
  readonly #options: LeadingGrowth;
  readonly #payoff: GrowthPayoff;
  #basis: string | undefined;
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

  /** The next round of trees; null if `stopNow` has ended it. */
  async grow(at: GrowthPlace, stopNow: () => boolean = () => false): Promise<readonly Tree[] | null> {
    const { team, isCheckpointWanted = () => false } = this.#options;
    const isAwaited = (): boolean => stopNow() || isCheckpointWanted();
    const effort: Effort = { startedMs: team.nowMs(), ownMs: 0, isAwaited };
    let failed = 0;
    while (failed < MAX_ATTEMPTS && !this.#isOver(effort) && (await this.#isJoint(at))) {
      const grown = await this.#together(at, effort);
      if (grown !== null) return grown;
      this.#current = undefined; // nothing of a round that was not finished is kept
      failed++;
    }
    this.#current = undefined;
    if (failed > 0 && !isAwaited()) this.#payoff.addDropped(this.#timesOf(effort));
    return stopNow() ? null : this.#alone();
  }

  /** Whether the round is not to be grown together any longer. */
  #isOver(effort: Effort): boolean {
    return effort.isAwaited() || this.#payoff.isSpent(this.#timesOf(effort));
  }

  #timesOf({ startedMs, ownMs }: Effort): TreeRoundTimes {
    return { ms: this.#options.team.nowMs() - startedMs, ownMs, seats: this.#seats };
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

  /** Null if one of the others is lost, others wait, or it is over. */
  async #together(at: GrowthPlace, effort: Effort): Promise<readonly Tree[] | null> {
    const { booster, team } = this.#options;
    const isContinued = this.#current?.kind === 'sums';
    const startedMs = team.nowMs();
    effort.ownMs = 0;
    const timed = <T>(work: () => T): T => {
      const beforeMs = team.nowMs();
      const result = work();
      effort.ownMs += team.nowMs() - beforeMs;
      return result;
    };
    const growth = booster.round();
    let step = timed(() => growth.next());
    for (let exchange = 0; step.done !== true; exchange++) {
      const own = step.value;
      if (this.#isOver(effort)) return null;
      const sums = await this.#collect(own, () => this.#isOver(effort));
      if (sums === null || (exchange === 0 && isContinued && (await this.#othersChanged()))) return null;
      await this.#offer(at, { kind: 'sums', sums });
      step = timed(() => growth.next(splitSums(sums, own)));
    }
    this.#note(effort, team.nowMs() - startedMs);
    return step.value;
  }

  async #othersChanged(): Promise<boolean> {
    const { seats, needAll } = await this.#options.team.next();
    return needAll || seats !== this.#seats;
  }

  async #offer(at: GrowthPlace, offer: SumsOffer): Promise<void> {
    const { team, basis, booster } = this.#options;
    const { epoch, epochs, step } = at;
    this.#basis ??= forestBasis(basis, booster.fingerprint());
    const place = { epoch, epochs, step, batches: 1 };
    const round = { ...place, number: ++this.#number, seats: this.#seats, basis: this.#basis };
    this.#current = { round, kind: offer.kind };
    await team.begin(round, offer, this.#pace);
  }

  /** The sums of all; null if they are not complete. */
  async #collect(own: readonly Float64Array[], isOver: () => boolean): Promise<Float64Array | null> {
    const { team, booster, rows, maxOfRow } = this.#options;
    if (this.#current === undefined) return null;
    const { round, kind } = this.#current;
    const sums = joinSums(own);
    const maxRows = Math.ceil(rows / round.seats);
    const catchUpMs = kind === 'trees' ? (CATCH_UP_NS / 1e6) * maxRows * booster.forest.trees.length : 0;
    const nonNegative = booster.summed === 'derivatives' ? { from: 1, step: 2 } : { from: 0, step: 1 };
    const form = { length: sums.length, maxRows, maxOfRow, nonNegative, catchUpMs };
    const answers = await team.collectSums(round, form, isOver);
    for (const answer of answers ?? [])
      for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (answer.sums[i] as number);
    return answers === null ? null : sums;
  }

  /** `ms`: of the attempt that succeeded. */
  #note(effort: Effort, ms: number): void {
    const { from, to } = rowsOfSeat(this.#options.rows, 0, this.#seats);
    const { ownMs } = effort;
    this.#pace = { rowsPerSecond: (1000 * (to - from)) / ownMs, exchangeShare: Math.max(0, 1 - ownMs / ms) };
    this.#payoff.addTogether(this.#timesOf(effort));
  }
}
