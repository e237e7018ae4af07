import type { TensorData } from '../../domain/tensor.ts';
import type { Rng } from '../../runtime/rng.ts';

/**
 * Replaces each word except padding with probability `ratio` by the id `by` (Iyyer et al. 2015): ids [N, T], or [N, T, S] if a
 * word has S ids, of which only the first is replaced, not its parts.
 */
export function dropWords(ids: TensorData | undefined, ratio: number, { rng, by }: { rng: Rng; by: number }): void {
  if (ids === undefined || ratio === 0) return;
  const { data } = ids;
  const slots = ids.shape[2] ?? 1;
  for (let i = 0; i < data.length; i += slots) if (data[i] !== 0 && rng.uniform() < ratio) data[i] = by;
}
