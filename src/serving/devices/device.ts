import type { Subset } from '../policies/policy.ts';

/** The output of one member for a batch: probabilities [rows, classes]. */
export type MemberOutput = Float32Array;

/** A batch's outputs, and how long a thread took for it, ms: the wait for the thread is not counted. */
export interface BatchResult {
  outputs: MemberOutput[];
  ms: number;
}

/** Tokenising a long text takes long for any model. */
const INLINE_CHARS = 16 * 1024;
export const isShort = (input: string): boolean => input.length <= INLINE_CHARS;

/** Whether a device computes these requests on the calling thread, without a slot. */
export const runsInline = ({ inlineRows }: Device, requests: readonly { input: string }[]): boolean =>
  requests.length <= inlineRows && requests.every(({ input }) => isShort(input));

/** Runs the batches of one model. */
export interface Device {
  /** Whether the model is loaded; if not, `open` loads it before a batch runs. */
  readonly isReady: boolean;
  /** Whether a thread that has the model is free: a model that is rarely used is on one thread only. */
  readonly isFree: boolean;
  /**
   * Batches of at most this many rows, if all are short, run on the calling thread, without a slot: passing them to a thread costs
   * more. See {@link runsInline}.
   */
  readonly inlineRows: number;
  /**
   * Loads the model; returns whether it is loaded. With `mayEvict` false, it is not loaded if other models had to be
   * unloaded.
   */
  open(options?: { mayEvict: boolean }): Promise<boolean>;
  /** As {@link run}, immediately and on the calling thread; undefined if that would take long. Absent if it always would. */
  runNow?(inputs: readonly string[], subset: Subset): BatchResult | undefined;
  /** Runs the members of a subset on the inputs, the most accurate member first. */
  run(inputs: readonly string[], subset: Subset): Promise<BatchResult>;
  release(): Promise<void>;
}
