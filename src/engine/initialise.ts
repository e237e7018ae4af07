import type { ParameterSpec } from '../graph/network.ts';
import type { Rng } from '../runtime/rng.ts';

/** Initial values of a parameter; row 0 of a table is for padding and is zero. */
export function initialise({ shape, init, rowsOf }: ParameterSpec, rng: Rng): Float32Array {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const padding = rowsOf === undefined ? 0 : values.length / (shape[0] ?? 1);
  if (init.kind === 'given') values.set(init.values);
  if (init.kind === 'ones') values.fill(1);
  if (init.kind === 'normal') for (let i = padding; i < values.length; i++) values[i] = init.deviation * rng.normal();
  if (init.kind === 'uniform')
    for (let i = padding; i < values.length; i++) values[i] = init.bound * (2 * rng.uniform() - 1);
  return values;
}
