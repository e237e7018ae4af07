import type { Subset } from './policies/policy.ts';

/** What one member says of each row of a batch: probabilities [rows, classes]. */
export type MemberOutput = Float32Array;

/** Where the batches of one model run. */
export interface Device {
  /** Batches that run side by side without slowing each other down. */
  readonly slots: number;
  /** Batches up to so many rows run on the calling thread, beside the slots: a hop to another thread costs more. */
  readonly inlineRows: number;
  /** The members of a subset on these texts, the most accurate first. */
  run(texts: readonly string[], subset: Subset): Promise<MemberOutput[]>;
  release(): Promise<void>;
}
