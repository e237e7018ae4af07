/**
 * One trial, trained by several workers: local SGD. In each round all start from the same weights, each trains its share
 * of the batches with its own optimiser state, and the mean of their weights starts the next round (Stich 2019, "Local
 * SGD Converges Fast and Communicates Little"; McMahan et al. 2017, algorithm 1). One of them leads: it owns the trial.
 * A round of a forest is one exchange of sums over the rows, of which each worker has a share.
 */
export interface Round {
  /** 1-based, of the trial's attempt. */
  number: number;
  epoch: number;
  /** Planned epochs, which the learning rate depends on. */
  epochs: number;
  /** Batches of the epoch that come before this round's, and those of this round; of a forest, rounds of trees. */
  step: number;
  batches: number;
  /** Hash of the rows: only workers with the same ones may take part. For a forest, see {@link forestBasis}. */
  basis: string;
  /** Number of workers; each has a seat from 0 on, and the leading worker has seat 0. */
  seats: number;
}

/** Of a forest: its rows, and what trees follow from, which are not the same on all machines for the same rows. */
export const forestBasis = (rows: string, source: string): string => `${rows}-${source}`;
export const rowsOfBasis = (basis: string): string => basis.replace(/-.*$/, '');
export const sourceOfBasis = (basis: string): string => basis.slice(rowsOfBasis(basis).length + 1);

/** Rows from `from` up to `to`, in the order of the epoch; for a forest, in that of the data set. */
export interface RowRange {
  from: number;
  to: number;
}

/** The share of a seat, the rows that its worker trains, of batches of `batch` rows: all seats have the same number, or one more. */
export const shareOf = ({ step, batches, seats }: Round, seat: number, batch: number): RowRange => ({
  from: step * batch + Math.floor((seat * batches * batch) / seats),
  to: step * batch + Math.floor(((seat + 1) * batches * batch) / seats),
});

/** The same of a forest, of `rows` in all. */
export const rowsOfSeat = (rows: number, seat: number, seats: number): RowRange => ({
  from: Math.floor((seat * rows) / seats),
  to: Math.floor(((seat + 1) * rows) / seats),
});

/** How the leading worker fared in a round. */
export interface RoundPace {
  rowsPerSecond: number;
  /** Fraction of its time that was not spent on training, in [0, 1]; named as its column. */
  exchangeShare: number;
}

/**
 * The weights that a round starts from: all of them, or how they differ from the last round's, in half precision. The sender may change
 * them after the round, the receiver at once: a transport hands over a copy.
 */
export type RoundWeights = { kind: 'all'; values: Float32Array } | { kind: 'change'; halves: Uint16Array };

/**
 * What a round of a forest starts from: the trees so far, with which trees begin on new shares of the rows, or the sums that the last round
 * asked for. In numbers of 64 bits, which hold both exactly.
 */
export type SumsOffer = { kind: 'trees'; trees: Float64Array } | { kind: 'sums'; sums: Float64Array };

/**
 * Whether a worker can begin a round: a change needs weights, and sums are for those of the round before. One that has just joined again may
 * find a round that it was offered before.
 */
export function canBegin(
  { has }: Pick<WaitingWorker, 'has'>,
  { number }: Pick<Round, 'number'>,
  { kind }: Pick<RoundWeights | SumsOffer, 'kind'>,
): boolean {
  if (kind === 'sums') return has === number - 1;
  return kind !== 'change' || has !== null;
}

/** How a worker's weights differ from those that its round started from, in half precision. */
export interface WeightChange {
  halves: Uint16Array;
  /** For each row of the network's tables, such as word vectors: the number of its steps that used it. */
  uses: Uint16Array;
  /** Rows that it trained. */
  rows: number;
  /** How long that took, without the exchange. */
  seconds: number;
}

/** What a worker adds to the sums of a forest's round. */
export interface ShareSums {
  /** Integers; the sender may change them when they are sent, and a transport when the next ones are collected. */
  sums: Float64Array;
  /** Of its share. */
  rows: number;
  /** How long its last round of trees took, without the exchange; during the first, how long that has taken so far. */
  seconds: number;
}

/** What they must be like to count. */
export interface SumsForm {
  /** Length of {@link ShareSums.sums}. */
  length: number;
  /** The most rows that a seat has. */
  maxRows: number;
  /** The most that a row adds to a sum, whatever its sign. */
  maxOfRow: number;
  /** Which of the sums are of what is never negative: every `step`th from `from` on. */
  nonNegative: { from: number; step: number };
  /** What workers that got all trees may take longer. */
  catchUpMs: number;
}

/** What a worker's change must be like to count. */
export interface ChangeForm {
  /** Length of {@link WeightChange.halves}. */
  weights: number;
  /** Length of {@link WeightChange.uses}. */
  uses: number;
  /** The most rows that a seat of the round has. */
  maxRows: number;
}

/** The other workers of a trial, as the leading one sees them. */
interface RoundTeam {
  /** The last round of the attempt before this worker led it, or 0: workers that took part in it wait for later ones. */
  readonly lastRound: number;
  /** Milliseconds on the clock by which rounds are timed. */
  nowMs(): number;
  /** Workers that take part in the next round, the leading one included. Some may need all weights: they are new. */
  next(): Promise<{ seats: number; needAll: boolean }>;
}

/** Those of a network. */
export interface Team extends RoundTeam {
  /** Starts a round; `last` is the pace of the one before. Returns when the others can read it. */
  begin(round: Round, weights: RoundWeights, last: RoundPace | null): Promise<void>;
  /** The changes of the others: those that arrive before it takes too long, and have the form of this round's. */
  collect(round: Round, form: ChangeForm): Promise<readonly WeightChange[]>;
}

/** Those of a forest. None of them can be missed: the trees are those of all rows. */
export interface SumTeam extends RoundTeam {
  /** Starts a round; one of sums has the workers of the round before. */
  begin(round: Round, offer: SumsOffer, last: RoundPace | null): Promise<void>;
  /**
   * What the others add; null if one of them sent nothing in time, or what cannot be, or `isOver` said that their sums are not needed any more.
   */
  collectSums(round: Round, form: SumsForm, isOver: () => boolean): Promise<readonly ShareSums[] | null>;
}

export interface GrowingTeam {
  team: SumTeam;
  /** Hash of the rows. */
  basis: string;
  /** Whether a checkpoint waits for the end of a round of trees, which is then grown alone. */
  isCheckpointWanted?(): boolean;
}

export interface JoinedRound {
  round: Round;
  seat: number;
  weights: RoundWeights | SumsOffer;
}

/** The leading worker, as the others see it. */
export interface Lead {
  /** The next round, and this worker's seat in it; null when there is none any more. */
  next(): Promise<JoinedRound | null>;
  /** Sends what this worker learnt in a round. */
  send(round: Round, change: WeightChange | ShareSums): Promise<void>;
}

/**
 * A way between the leading worker and some of the others: files for those of its machine, rows and the parameter store for
 * those of other machines. It carries three messages: that a worker waits, a round, and what a worker learnt in it. Each of
 * them replaces the one before of the same sender, so that nothing is wrong if one is lost, or read twice.
 */
export interface Transport {
  waiting(): Promise<readonly WaitingWorker[]>;
  /** Returns when the workers can read it. */
  offer(offer: Offer, last: RoundPace | null): Promise<void>;
  /** What the given workers learnt in a round: all that arrives within `waitMs`, or until `isOver`. */
  collect(wanted: WantedChanges, isOver?: () => boolean): Promise<readonly (SentChange | SentSums)[]>;
}

export interface WaitingWorker {
  processId: number;
  /** The last round that it trained, whose weights it has; null: it has none. */
  has: number | null;
  /** It waits for a round after this one; 0 before the first. */
  after: number;
}

/** A round, as it is sent. */
export interface Offer {
  round: Round;
  /** Of the seats 1, 2, … */
  processIds: readonly number[];
  weights: RoundWeights | SumsOffer;
}

export interface WantedChanges {
  /** Of the round. */
  number: number;
  processIds: readonly number[];
  waitMs: number;
}

export interface SentChange extends WeightChange {
  processId: number;
}

export interface SentSums extends ShareSums {
  processId: number;
}
