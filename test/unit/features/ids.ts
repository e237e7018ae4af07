import type { TensorData } from '../../../src/domain/tensor.ts';

/** Ids of each row up to its padding: [N, T] or [N, T, S], where a word has S ids of which the first is never 0. */
export function textsOfIds(ids: TensorData | undefined): number[][] {
  const [rows = 0, width = 0, slots = 1] = ids?.shape ?? [];
  return Array.from({ length: rows }, (_, i) => {
    const row = Array.from(ids?.data.subarray(i * width * slots, (i + 1) * width * slots) ?? [], Number);
    const ended = Array.from({ length: width }, (_, t) => row[t * slots]).indexOf(0);
    return ended < 0 ? row : row.slice(0, ended * slots);
  });
}
