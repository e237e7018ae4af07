/** Members of an ensemble as bits: bit m is the member of rank m. */
export type Subset = number;

/**
 * The resources of one model: its members, where each of them runs, their latencies, and the accuracy of each subset.
 */
export interface Fleet {
  readonly members: number;
  /** For each member, the index of the member that it is a quicker variant of, or its own. Absent: no variants. */
  readonly originals?: readonly number[];
  /**
   * Batch sizes B at which c(m, b) is known best, ascending. A batch may have any number of rows up to the last; if a
   * device pads it, c(m, b) shows that.
   */
  readonly sizes: readonly number[];
  /** Accuracy a(M[v]) of each subset v on validation rows; a[0] is 0. */
  readonly accuracy: readonly number[];
  /** Each member runs at one station. A batch for several members of one station runs them in sequence. */
  readonly stations: readonly Station[];
  /** c(m, b): expected time of a batch of `rows`, ms. */
  latencyMs(member: number, rows: number): number;
  /** Almost all batches take at most this times c(m, b); 1 if service times are constant. */
  readonly margin: number;
}

/** Identical servers in parallel: one member's device, or a pool of threads that holds all members. */
export interface Station {
  readonly members: Subset;
  readonly servers: number;
}

/** The waiting requests, earliest deadline first. */
export interface QueueView {
  readonly length: number;
  deadlineMs(place: number): number;
}

/** The state at a decision point: a server is free and at least one request waits. */
export interface PolicyState {
  readonly nowMs: number;
  readonly queue: QueueView;
  /** The latency budget τ of most requests, ms. */
  readonly budgetMs: number;
  /** By station: when each of its servers is free; in the past if it is free now. */
  readonly freeMs: readonly (readonly number[])[];
  /** Current arrivals per millisecond. */
  readonly rate: number;
}

/**
 * Dispatch: `rows` of the queue from place `from` go to the members of `subset`; requests before `from` would be late
 * in this batch and remain. Wait: decide again at `untilMs`, when a server becomes free, or when the given number of
 * requests wait, whichever is first.
 */
export type Decision =
  | { kind: 'dispatch'; subset: Subset; from: number; rows: number }
  | { kind: 'wait'; untilMs: number; rows: number };

/** The result of a batch. */
interface BatchOutcome {
  readonly nowMs: number;
  readonly subset: Subset;
  readonly rows: number;
  /** The number of `rows` answered after their deadlines. */
  readonly overdue: number;
}

/** Decides when a batch leaves the queue, its size, and its members. Server and simulator run the same code. */
export interface Policy {
  readonly name: string;
  decide(state: PolicyState): Decision;
  /** Called once for each batch that ends. */
  observe?(outcome: BatchOutcome): void;
  /** Present if the policy learns. */
  readonly learned?: Learned;
}

/** The learned state as plain data, stored across restarts. */
interface Learned {
  weights(): unknown;
  /** Returns false, without any change, if the data does not belong to this policy and fleet. */
  restore(weights: unknown): boolean;
}

export interface PolicyOptions {
  fleet: Fleet;
  /** Seed of all randomness. */
  seed: number;
  /** How many requests at the head of the queue a batch that ends at `finishMs` leaves out; by default those it would answer late. */
  leavesOut?: (queue: QueueView, finishMs: number) => number;
}
