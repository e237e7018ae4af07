/** What one member says of each row of a batch: probabilities [rows, classes]. */
export type MemberOutput = Float32Array;

/** Where the batches of one model run. */
export interface Device {
  /** Batches that run side by side without slowing each other down. */
  readonly slots: number;
  /** Batches up to so many rows run on the calling thread, beside the slots: a hop to another thread costs more. */
  readonly inlineRows: number;
  /** The first `members` members of the ensemble on these texts. */
  run(texts: readonly string[], members: number): Promise<MemberOutput[]>;
  release(): Promise<void>;
}
