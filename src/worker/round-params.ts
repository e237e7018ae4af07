import type { RoundWeights, WeightChange } from '../domain/joint-training.ts';
import type { ParamSet, TensorData } from '../domain/tensor.ts';
import type { ParamStore } from '../params/param-store.ts';

const name = 'weights';
const usesName = 'uses';

/** Stores vectors of 16 bits, as bytes. */
const saveShorts = (params: ParamStore, vectors: Record<string, Uint16Array>): Promise<number> => {
  const tensors = Object.entries(vectors).map(([vector, shorts]): [string, TensorData] => {
    const data = new Uint8Array(shorts.buffer, shorts.byteOffset, shorts.byteLength);
    return [vector, { dtype: 'uint8', shape: [data.length], data }];
  });
  return params.save('round', { tensors: Object.fromEntries(tensors), meta: {} });
};

export const saveChange = (
  params: ParamStore,
  { halves, uses }: Pick<WeightChange, 'halves' | 'uses'>,
): Promise<number> => saveShorts(params, { [name]: halves, ...(uses.length === 0 ? {} : { [usesName]: uses }) });

export const saveWeights = (params: ParamStore, weights: RoundWeights): Promise<number> => {
  if (weights.kind === 'change') return saveShorts(params, { [name]: weights.halves });
  const { values } = weights;
  return params.save('round', {
    tensors: { [name]: { dtype: 'float32', shape: [values.length], data: values } },
    meta: {},
  });
};

export async function loadWeights(params: ParamStore, id: number): Promise<RoundWeights> {
  const data = dataOf(await params.load(id), name);
  if (data instanceof Float32Array) return { kind: 'all', values: data };
  return { kind: 'change', halves: shortsOf(data) };
}

export async function loadChange(params: ParamStore, id: number): Promise<Pick<WeightChange, 'halves' | 'uses'>> {
  const set = await params.load(id);
  const uses = set.tensors[usesName] === undefined ? new Uint16Array(0) : shortsOf(dataOf(set, usesName));
  return { halves: shortsOf(dataOf(set, name)), uses };
}

function dataOf({ tensors }: ParamSet, vector: string): Uint8Array | Float32Array {
  const data = tensors[vector]?.data;
  if (data instanceof Uint8Array || data instanceof Float32Array) return data;
  throw new RangeError(`the set of a round has no vector "${vector}"`);
}

/** Aligned: the bytes may stand anywhere. */
const shortsOf = (data: Uint8Array | Float32Array): Uint16Array => new Uint16Array(new Uint8Array(data).buffer);
