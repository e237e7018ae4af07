import type { TensorData } from './tensor.ts';

/** Minimum share of a network's weights from other trials for its trial to count as warm-started. */
export const WARM_SHARE = 0.5;

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
