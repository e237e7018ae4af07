import type { TensorData } from '../domain/tensor.ts';
import type { Rng } from '../runtime/rng.ts';

/** Replaces each id with probability `ratio`, padding excepted, so that no single word decides (Iyyer et al. 2015). */
export function dropWords(ids: TensorData | undefined, ratio: number, { rng, by }: { rng: Rng; by: number }): void {
  if (ids === undefined || ratio === 0) return;
  const { data } = ids;
  for (let i = 0; i < data.length; i++) if (data[i] !== 0 && rng.uniform() < ratio) data[i] = by;
}
