import { createHash } from 'node:crypto';
import { serialize } from 'node:v8';
import type { FittedFeatures } from '../domain/training.ts';
import type { PublishedWeights, RequestedTensor } from '../domain/warm-start.ts';
import type { Trainer } from '../engine/trainer.ts';
import type { ParameterSpec } from '../graph/network.ts';
import type { PreparedTrial } from './trial.ts';

/** The tensors of a trial's network with their roles, for matching with published ones. */
export function requestedTensors({
  network,
  features,
}: Pick<PreparedTrial, 'network' | 'features'>): RequestedTensor[] {
  const fitted = fingerprint(features);
  return Object.entries(network.parameters).map(([name, spec]) => ({
    name,
    shape: spec.shape,
    role: roleOf(spec, fitted),
  }));
}

/** Copies of the current weights for other trials, without optimiser state. */
export function publishedWeights(requested: readonly RequestedTensor[], trainer: Trainer): PublishedWeights {
  const weights = trainer.weights();
  const tensors = requested.flatMap(({ name, shape }) => {
    const weight = weights[name];
    return weight === undefined
      ? []
      : [[name, { dtype: 'float32' as const, shape: [...shape], data: weight.data.slice() }]];
  });
  return {
    tensors: Object.fromEntries(tensors),
    roles: Object.fromEntries(requested.map(({ name, role }) => [name, role])),
  };
}

/**
 * The role of a tensor, derived from its initialisation. The meaning of a table's rows depends on the fitted features,
 * so its role includes their fingerprint.
 */
function roleOf({ rowsOf, buffer, init }: ParameterSpec, fitted: string): string {
  if (rowsOf !== undefined) return `rows of ${fitted}`;
  if (buffer) return 'average';
  if (init.kind === 'given') return init.from;
  if (init.kind === 'zeros') return 'offset';
  return init.kind === 'ones' ? 'scale' : 'weight';
}

const fingerprint = ({ encoder, state }: FittedFeatures): string =>
  createHash('sha256').update(encoder).update(serialize(state)).digest('hex').slice(0, 32);
