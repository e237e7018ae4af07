import type { Subset } from '../policies/policy.ts';
import type { BatchRoles } from './work.ts';

/** The output of one member for a batch: probabilities [rows, classes]. */
export type MemberOutput = Float32Array;

/** Runs the batches of one model. */
export interface Device {
  /** Whether the model is loaded; if not, `open` loads it before a batch runs. */
  readonly isReady: boolean;
  /** Batches that run in parallel without slowing each other down. */
  readonly slots: number;
  /**
   * Batches of at most this many rows run on the calling thread, without a slot: passing them to a thread costs more.
   */
  readonly inlineRows: number;
  /**
   * Loads the model; returns whether it is loaded. With `mayEvict` false, it is not loaded if other models had to be
   * unloaded.
   */
  open(options?: { mayEvict: boolean }): Promise<boolean>;
  /** Runs the members of a subset on the inputs, the most accurate member first. */
  run(inputs: readonly string[], subset: Subset, work?: BatchRoles): Promise<MemberOutput[]>;
  release(): Promise<void>;
}
