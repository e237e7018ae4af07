import type { Subset } from '../policies/policy.ts';
import type { Work } from './work.ts';

/** What one member says of each row of a batch: probabilities [rows, classes]. */
export type MemberOutput = Float32Array;

/** Where the batches of one model run. */
export interface Device {
  /** Whether the model is there; otherwise `open` brings it before a batch runs. */
  readonly isReady: boolean;
  /** Batches that run side by side without slowing each other down. */
  readonly slots: number;
  /** Batches up to so many rows run on the calling thread, beside the slots: a hop to another thread costs more. */
  readonly inlineRows: number;
  /** Loads the model; whether it is there then. It stays away where others would have to leave and `mayEvict` is false. */
  open(options?: { mayEvict: boolean }): Promise<boolean>;
  /** The members of a subset on these texts, the most accurate first. */
  run(inputs: readonly string[], subset: Subset, work?: Work): Promise<MemberOutput[]>;
  release(): Promise<void>;
}
