/** What a policy sees at a decision point: a device is free and at least one question waits. */
export interface PolicyState {
  /** Questions that somebody waits for. */
  queued: number;
  /** How long the oldest of them has waited, ms. */
  waitedMs: number;
  /** The latency budget τ of the oldest, ms. */
  budgetMs: number;
  /** Batches that run now, on other slots of the device. */
  running: number;
  /** Allowed batch sizes B, ascending. */
  sizes: readonly number[];
  /** c(b): time of a batch of b, ms. */
  latencyMs(rows: number): number;
}

/** Dispatch so many of the oldest now, or look again after a while or at the next arrival, whichever is first. */
export type Decision = { kind: 'dispatch'; rows: number } | { kind: 'wait'; ms: number };

/** Decides when a batch leaves the queue and how large it is; pure, so that a simulator can run it too. */
export interface Policy {
  readonly name: string;
  decide(state: PolicyState): Decision;
}

/** The largest allowed size that `queued` fills; the smallest size where it fills none. */
export function largestFilled(sizes: readonly number[], queued: number): number {
  let filled = sizes[0] ?? 1;
  for (const size of sizes) if (size <= queued) filled = size;
  return filled;
}
