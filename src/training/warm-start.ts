import { createHash } from 'node:crypto';
import { serialize } from 'node:v8';
import type { FittedFeatures } from '../domain/training.ts';
import type { StartWeights, WantedTensor } from '../domain/warm-start.ts';
import type { Trainer } from '../engine/trainer.ts';
import type { ParameterSpec } from '../graph/network.ts';
import type { PreparedTrial } from './trial.ts';

/** The tensors of a trial's network with their roles, as a warm start looks for them. */
export function wantedTensors({ network, features }: Pick<PreparedTrial, 'network' | 'features'>): WantedTensor[] {
  const fitted = fingerprint(features);
  return Object.entries(network.parameters).map(([name, spec]) => ({
    name,
    shape: spec.shape,
    role: roleOf(spec, fitted),
  }));
}

/** Copies of the weights as they are, for other trials to start from; optimiser state stays behind. */
export function startWeights(wanted: readonly WantedTensor[], trainer: Trainer): StartWeights {
  const weights = trainer.weights();
  const tensors = wanted.flatMap(({ name, shape }) => {
    const weight = weights[name];
    return weight === undefined
      ? []
      : [[name, { dtype: 'float32' as const, shape: [...shape], data: weight.data.slice() }]];
  });
  return {
    tensors: Object.fromEntries(tensors),
    roles: Object.fromEntries(wanted.map(({ name, role }) => [name, role])),
  };
}

/**
 * What a tensor does, as far as its first values tell: rows of a table mean what the fitted features say, so the role of
 * a table names them.
 */
function roleOf({ rowsOf, follows, init }: ParameterSpec, fitted: string): string {
  if (rowsOf !== undefined) return `rows of ${fitted}`;
  if (follows) return 'average';
  if (init.kind === 'zeros') return 'offset';
  return init.kind === 'ones' ? 'scale' : 'weight';
}

const fingerprint = ({ encoder, state }: FittedFeatures): string =>
  createHash('sha256').update(encoder).update(serialize(state)).digest('hex').slice(0, 32);
