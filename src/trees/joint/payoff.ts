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
  /** From its start, also of attempts that failed. */
  ms: number;
  /** For the own share, without the exchange. */
  ownMs: number;
  seats: number;
}

/**
 * Whether a forest is grown sooner together. An exchange takes as long for few rows as for many, so small tables are sooner grown alone, and
 * larger ones, too, if the others are far away. The trees are the same anyway. What a finished round would have taken alone follows from the
 * own share of it, so that other load on the machine, which comes and goes, decides nothing; what one would that is not finished, also
 * from rounds alone. A try costs at most the rounds that may be lost and one that is dropped and grown again. Once a round together
 * was quicker, none that follows counts for more than may be lost: a single one that stalls does not end a try that pays.
 */
export class Payoff {
  #aloneMs = 0;
  #alone = 0;
  /** Whether the last round was grown together, or begun so: then the next one alone has scores of the others' rows to find. */
  #isAfterTeam = false;
  /** Of the first rounds together after rounds alone, with the same number of workers. */
  #own = { ms: 0, rounds: 0, seats: 0 };
  #lossRounds = 0;
  /** Whether a round of this try was quicker than alone. */
  #isProven = false;
  #restRounds = 0;
  #nextRest = FIRST_REST;

  /** Whether the next round is to be grown together. */
  get pays(): boolean {
    return this.#alone >= FIRST_ROUNDS && this.#restRounds === 0;
  }

  addAlone(ms: number): void {
    if (!this.#isAfterTeam) this.#aloneMs += (this.#alone < FIRST_ROUNDS ? 1 : NEWEST) * (ms - this.#aloneMs);
    this.#isAfterTeam = false;
    this.#alone++;
    this.#own = { ms: 0, rounds: 0, seats: 0 };
    this.#restRounds = Math.max(0, this.#restRounds - 1);
  }

  addTogether({ ms, ownMs, seats }: TreeRoundTimes): void {
    this.#isAfterTeam = true;
    if (this.#own.seats !== seats) this.#own = { ms: 0, rounds: 0, seats };
    const own = this.#own;
    if (own.rounds < COMPARED_ROUNDS) this.#own = { ms: own.ms + ownMs, rounds: own.rounds + 1, seats };
    const loss = ms / (this.#factor(seats) * ownMs) - 1;
    this.#lose(loss);
    if (loss < 0 && this.#restRounds === 0) this.#isProven = true;
  }

  /** Whether a round that is not finished has used up what may be lost. */
  isSpent(times: TreeRoundTimes): boolean {
    return this.#lossRounds + this.#roundsOf(times) - 1 > MAX_LOSS_ROUNDS;
  }

  /** A round that is grown again, alone. */
  addDropped(times: TreeRoundTimes): void {
    this.#isAfterTeam = true;
    this.#lose(this.#roundsOf(times));
  }

  /** How many rounds alone would have fitted into the time of one that is not finished. */
  #roundsOf({ ms, ownMs, seats }: TreeRoundTimes): number {
    return ms / Math.max(this.#aloneMs, this.#factor(seats) * ownMs);
  }

  /** How much longer a round takes alone than the own share of it; 1 if that is not known. */
  #factor(seats: number): number {
    const { ms, rounds, seats: known } = this.#own;
    return known === seats && rounds > 0 ? Math.max(1, Math.min(seats, (this.#aloneMs * rounds) / ms)) : 1;
  }

  #lose(rounds: number): void {
    const counted = this.#isProven ? Math.min(MAX_LOSS_ROUNDS, rounds) : rounds;
    this.#lossRounds = Math.max(0, this.#lossRounds + counted);
    if (this.#lossRounds <= MAX_LOSS_ROUNDS) return;
    this.#lossRounds = 0;
    this.#isProven = false;
    this.#restRounds = this.#nextRest;
    this.#nextRest *= 2;
  }
}
