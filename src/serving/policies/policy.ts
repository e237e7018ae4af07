/** Members of an ensemble as bits: bit m is the member of rank m. */
export type Subset = number;

/** What serves one model: its members, where each of them runs, how long that takes and what each subset is worth. */
export interface Fleet {
  readonly members: number;
  /** For each member the one that it is a quicker variant of, or itself; where not given, there are no variants. */
  readonly originals?: readonly number[];
  /** Allowed batch sizes B, ascending; a batch of fewer rows may be padded to one of them. */
  readonly sizes: readonly number[];
  /** Accuracy a(M[v]) on validation rows of each subset v, by its bits; a[0] is 0. */
  readonly accuracy: readonly number[];
  /** Each member runs at one station; a batch for several members of a station runs there one after another. */
  readonly stations: readonly Station[];
  /** c(m, b): expected time of a batch of so many rows, ms. */
  latencyMs(member: number, rows: number): number;
  /** Batches take no longer than this times c(m, b), but for a few in a hundred; 1 where service times do not vary. */
  readonly margin: number;
}

/** Equal servers side by side: the device of one member, or a pool of threads that holds all of them. */
export interface Station {
  readonly members: Subset;
  readonly servers: number;
}

/** Those who wait, the earliest deadline first. */
export interface QueueView {
  readonly length: number;
  deadlineMs(place: number): number;
}

/** What a policy sees at a decision point: a server is free and at least one request waits. */
export interface PolicyState {
  readonly nowMs: number;
  readonly queue: QueueView;
  /** The latency budget τ that most of them have, ms. */
  readonly budgetMs: number;
  /** By station: when each of its servers is free; in the past where it is free now. */
  readonly freeMs: readonly (readonly number[])[];
  /** Arrivals a millisecond, as they are now. */
  readonly rate: number;
}

/**
 * Dispatch `rows` of the queue from place `from` on to the members of `subset`; those before `from` would be late in this
 * batch and stay. Or wait: look again then, when a server gets free, or when so many wait, whichever is first.
 */
export type Decision =
  | { kind: 'dispatch'; subset: Subset; from: number; rows: number }
  | { kind: 'wait'; untilMs: number; rows: number };

/** How a batch went. */
export interface BatchOutcome {
  readonly nowMs: number;
  readonly subset: Subset;
  readonly rows: number;
  /** Of `rows`, those that were answered after their deadline. */
  readonly overdue: number;
}

/** Decides when a batch leaves the queue, how large it is and who answers it. The server and the simulator run the same. */
export interface Policy {
  readonly name: string;
  decide(state: PolicyState): Decision;
  /** Called once for each batch that ends. */
  observe?(outcome: BatchOutcome): void;
  /** What a policy has that learns. */
  readonly learned?: Learned;
}

/** What was learned, as plain data that outlives the process. */
export interface Learned {
  weights(): unknown;
  /** False where the data is not of such a policy for such a fleet; it then begins anew. */
  restore(weights: unknown): boolean;
}

export interface PolicyOptions {
  fleet: Fleet;
  /** Whether a batch leaves out whom it would answer late. */
  drops: boolean;
  /** Of all randomness. */
  seed: number;
}
