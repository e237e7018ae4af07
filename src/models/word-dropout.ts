import type { TensorData } from '../domain/tensor.ts';
import type { Rng } from '../runtime/rng.ts';

/** How dropped words are replaced, where each takes `every` ids of which the first is its own. */
interface Replacement {
  rng: Rng;
  by: number;
  every?: number;
}

/** Replaces each word with probability `ratio`, padding excepted, so that no single word decides (Iyyer et al. 2015). */
export function dropWords(ids: TensorData | undefined, ratio: number, { rng, by, every = 1 }: Replacement): void {
  if (ids === undefined || ratio === 0) return;
  const { data } = ids;
  for (let i = 0; i < data.length; i += every) if (data[i] !== 0 && rng.uniform() < ratio) data[i] = by;
}
