/** Rounds alone before others are asked: the first one takes longer. */
const FIRST_ROUNDS = 2;
/** Weight of the newest round alone in the mean. */
const NEWEST = 0.5;
/** Rounds together by which it is known how much longer a round takes alone than the own share of it. */
const COMPARED_ROUNDS = 3;
/** What rounds together may take longer than alone, all in all, in rounds alone. */
const MAX_LOSS_ROUNDS = 4;
/** Rounds that are grown alone when that was exceeded; each time twice as many. */
const FIRST_REST = 50;

/** A round of trees that was grown together. */
export interface TreeRoundTimes {
  ms: number;
  /** For the own share, without the exchange. */
  ownMs: number;
  seats: number;
}

/**
 * Whether a forest is grown sooner together. An exchange takes as long for few rows as for many, so small tables are sooner grown alone, and
 * larger ones, too, if the others are far away. The trees are the same anyway. What a round would take alone follows from the own share of
 * it, so that other load on the machine, which comes and goes, decides nothing.
 */
export class Payoff {
  #aloneMs = 0;
  #alone = 0;
  /** Of the first rounds together after rounds alone. */
  #own = { ms: 0, rounds: 0 };
  #lossRounds = 0;
  #restRounds = 0;
  #nextRest = FIRST_REST;

  /** Whether the next round is to be grown together. */
  get pays(): boolean {
    return this.#alone >= FIRST_ROUNDS && this.#restRounds === 0;
  }

  addAlone(ms: number): void {
    this.#aloneMs += (this.#alone < FIRST_ROUNDS ? 1 : NEWEST) * (ms - this.#aloneMs);
    this.#alone++;
    this.#own = { ms: 0, rounds: 0 };
    this.#restRounds = Math.max(0, this.#restRounds - 1);
  }

  addTogether({ ms, ownMs, seats }: TreeRoundTimes): void {
    const own = this.#own;
    if (own.rounds < COMPARED_ROUNDS) this.#own = { ms: own.ms + ownMs, rounds: own.rounds + 1 };
    const { ms: sumMs, rounds } = this.#own;
    const factor = Math.max(1, Math.min(seats, (this.#aloneMs * rounds) / sumMs));
    this.#lossRounds = Math.max(0, this.#lossRounds + ms / (factor * ownMs) - 1);
    if (this.#lossRounds <= MAX_LOSS_ROUNDS) return;
    this.#lossRounds = 0;
    this.#restRounds = this.#nextRest;
    this.#nextRest *= 2;
  }
}
