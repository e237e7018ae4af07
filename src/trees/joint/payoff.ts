/** Rounds alone before others are asked: the first one takes longer. */
const FIRST_ROUNDS = 2;
/** Weight of the newest round alone in the mean. */
const NEWEST = 0.5;
/** What rounds together may take longer than alone, all in all, in rounds alone. */
const MAX_LOSS_ROUNDS = 2;
/** Rounds that are grown alone when that was exceeded; each time twice as many. */
const FIRST_REST = 50;

/**
 * Whether a forest is grown sooner together. An exchange takes as long for few rows as for many, so small tables are sooner grown alone, and
 * larger ones, too, if the others are far away. The trees are the same anyway.
 */
export class Payoff {
  #aloneMs = 0;
  #alone = 0;
  #lossMs = 0;
  #restRounds = 0;
  #nextRest = FIRST_REST;

  /** Whether the next round is to be grown together. */
  get pays(): boolean {
    return this.#alone >= FIRST_ROUNDS && this.#restRounds === 0;
  }

  addAlone(ms: number): void {
    this.#aloneMs += (this.#alone < FIRST_ROUNDS ? 1 : NEWEST) * (ms - this.#aloneMs);
    this.#alone++;
    this.#restRounds = Math.max(0, this.#restRounds - 1);
  }

  addTogether(ms: number): void {
    this.#lossMs = Math.max(0, this.#lossMs + ms - this.#aloneMs);
    if (this.#lossMs <= MAX_LOSS_ROUNDS * this.#aloneMs) return;
    this.#lossMs = 0;
    this.#restRounds = this.#nextRest;
    this.#nextRest *= 2;
  }
}
