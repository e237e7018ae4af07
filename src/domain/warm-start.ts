import type { TensorData } from './tensor.ts';

/** A tensor of a network that is to be trained. */
export interface WantedTensor {
  name: string;
  shape: readonly number[];
  /** What it does: only a tensor of the same role can take its place. */
  role: string;
}

/** Weights of a trial as others may start from them. */
export interface PublishedWeights {
  tensors: Record<string, TensorData>;
  /** Their roles by name. */
  roles: Record<string, string>;
}
