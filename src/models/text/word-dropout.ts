import type { TensorData } from '../../domain/tensor.ts';
import type { Rng } from '../../runtime/rng.ts';

/**
 * Replaces each word with probability `ratio`, padding excepted, so that no single word decides (Iyyer et al. 2015): ids
 * [N, T], or [N, T, S] where a word has S ids of which the first is its own and the others, its parts, stay.
 */
export function dropWords(ids: TensorData | undefined, ratio: number, { rng, by }: { rng: Rng; by: number }): void {
  if (ids === undefined || ratio === 0) return;
  const { data } = ids;
  const every = ids.shape[2] ?? 1;
  for (let i = 0; i < data.length; i += every) if (data[i] !== 0 && rng.uniform() < ratio) data[i] = by;
}
