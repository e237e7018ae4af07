import type { TableFiles } from './tables.ts';

/** One fit, on all rows but those of a fold, which are for testing. */
export interface FitRequest {
  table: TableFiles;
  fold: number;
  rounds: number;
  learningRate: number;
  rowShare: number;
  columnShare: number;
  threads: number;
  /** If several processes grow the forest. */
  seat?: TeamSeat;
  /** Whether the exported model answers like the trainer for all rows. */
  check?: boolean;
  /** Whether the hash of the exported model is told. */
  hashed?: boolean;
}

/** The folder through which they exchange sums, and the number of one that follows; null: it leads. */
export interface TeamSeat {
  folder: string;
  processId: number | null;
}

export interface FitResult {
  /** From columns in memory to a model. */
  seconds: number;
  /** Of all threads meanwhile: on a busy machine, what can be compared. */
  cpuSeconds: number;
  /** Of the test rows: the share that is classified right, or the root of the mean squared error. */
  score: number;
  /** Mean negative logarithm of the right class's probability; 0 of numbers. */
  logLoss: number;
  /** Of the process so far. */
  peakMb: number;
  /** Hash of the model. */
  hash?: string;
  /** Largest difference between the trainer's and the exported model's answers, relative to answers above 1. */
  difference?: number;
}

/** The same for all: leaf-wise growth to 31 leaves, 255 bins, λ = 1, as far as a peer has it. */
export const sharedSettings = { maxLeaves: 31, minLeafWeight: 1, l2: 1, maxBins: 255 } as const;
