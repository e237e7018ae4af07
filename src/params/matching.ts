import type { PublishedTensor } from '../db/statements/warm-starts.ts';
import type { RequestedTensor } from '../domain/warm-start.ts';

export interface TensorMatch {
  name: string;
  hash: Buffer;
  paramsId: number;
  /** Number of values. */
  size: number;
}

/**
 * Chooses the source of each tensor of a new trial (paper, section 3): tensors of the same name, shape and role from
 * one set, the set that fits most values, since weights that were trained together work together; each remaining tensor
 * from the first set that has one of the same shape and role. Unmatched tensors are initialised at random.
 */
export function matchTensors(
  requested: readonly RequestedTensor[],
  published: readonly PublishedTensor[],
): TensorMatch[] {
  const sets = [...new Set(published.map(({ paramsId }) => paramsId))];
  const bySet = new Map(sets.map((id) => [id, published.filter(({ paramsId }) => paramsId === id)]));
  const namesakes = (id: number): TensorMatch[] =>
    requested.flatMap((tensor) => {
      const found = bySet.get(id)?.find((each) => each.name === tensor.name && fits(each, tensor));
      return found === undefined ? [] : [matchOf(tensor, found)];
    });
  const parent = sets
    .map(namesakes)
    .reduce<TensorMatch[]>((best, next) => (sizeOfAll(next) > sizeOfAll(best) ? next : best), []);
  const taken = new Set(parent.map(({ name }) => name));
  const rest = requested.flatMap((tensor) => {
    const found = taken.has(tensor.name) ? undefined : published.find((each) => fits(each, tensor));
    return found === undefined ? [] : [matchOf(tensor, found)];
  });
  return [...parent, ...rest];
}

export interface Origin {
  /** The set that gave the most values; null if nothing was taken. */
  paramsId: number | null;
  /** Share of the network's values that was taken from any set. */
  share: number;
}

export function originOf(requested: readonly RequestedTensor[], matches: readonly TensorMatch[]): Origin {
  const total = requested.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const given = new Map<number, number>();
  for (const { paramsId, size } of matches) given.set(paramsId, (given.get(paramsId) ?? 0) + size);
  const [max] = [...given].sort((a, b) => b[1] - a[1]);
  return { paramsId: max?.[0] ?? null, share: total === 0 ? 0 : sizeOfAll(matches) / total };
}

const fits = (a: RequestedTensor, b: RequestedTensor): boolean =>
  a.role === b.role && a.shape.length === b.shape.length && a.shape.every((dim, i) => dim === b.shape[i]);

const matchOf = ({ name, shape }: RequestedTensor, { hash, paramsId }: PublishedTensor): TensorMatch => ({
  name,
  hash,
  paramsId,
  size: sizeOf(shape),
});

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);
const sizeOfAll = (matches: readonly TensorMatch[]): number => matches.reduce((sum, { size }) => sum + size, 0);
