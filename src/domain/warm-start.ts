import type { TensorData } from './tensor.ts';

/** A tensor of a network that will be trained. */
export interface RequestedTensor {
  name: string;
  shape: readonly number[];
  /** Its role: only a tensor of the same role can initialise it. */
  role: string;
}

/** Weights of a trial for the warm start of others. */
export interface PublishedWeights {
  tensors: Record<string, TensorData>;
  /** Their roles by name. */
  roles: Record<string, string>;
}
