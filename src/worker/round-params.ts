import type { RoundWeights, ShareSums, SumsOffer, WeightChange } from '../domain/joint-training.ts';
import type { ParamSet, TensorData } from '../domain/tensor.ts';
import type { ParamStore } from '../params/param-store.ts';

const [name, usesName, sumsName, treesName] = ['weights', 'uses', 'sums', 'trees'] as const;

/** Stores vectors that are no tensors of the engine, as bytes. */
const saveBytes = (params: ParamStore, vectors: Record<string, Uint16Array | Float64Array>): Promise<number> => {
  const tensors = Object.entries(vectors).map(([vector, numbers]): [string, TensorData] => {
    const data = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    return [vector, { dtype: 'uint8', shape: [data.length], data }];
  });
  return params.save('round', { tensors: Object.fromEntries(tensors), meta: {} });
};

type ChangeVectors = Pick<WeightChange, 'halves' | 'uses'> | Pick<ShareSums, 'sums'>;

export function saveChange(params: ParamStore, change: ChangeVectors): Promise<number> {
  if ('sums' in change) return saveBytes(params, { [sumsName]: change.sums });
  const { halves, uses } = change;
  return saveBytes(params, { [name]: halves, ...(uses.length === 0 ? {} : { [usesName]: uses }) });
}

export function saveWeights(params: ParamStore, weights: RoundWeights | SumsOffer): Promise<number> {
  if (weights.kind === 'sums') return saveBytes(params, { [sumsName]: weights.sums });
  if (weights.kind === 'trees') return saveBytes(params, { [treesName]: weights.trees });
  if (weights.kind === 'change') return saveBytes(params, { [name]: weights.halves });
  const { values } = weights;
  return params.save('round', {
    tensors: { [name]: { dtype: 'float32', shape: [values.length], data: values } },
    meta: {},
  });
}

export async function loadWeights(params: ParamStore, id: number): Promise<RoundWeights | SumsOffer> {
  const set = await params.load(id);
  if (sumsName in set.tensors) return { kind: 'sums', sums: doublesOf(dataOf(set, sumsName)) };
  if (treesName in set.tensors) return { kind: 'trees', trees: doublesOf(dataOf(set, treesName)) };
  const data = dataOf(set, name);
  if (data instanceof Float32Array) return { kind: 'all', values: data };
  return { kind: 'change', halves: shortsOf(data) };
}

export async function loadChange(params: ParamStore, id: number): Promise<ChangeVectors> {
  const set = await params.load(id);
  if (sumsName in set.tensors) return { sums: doublesOf(dataOf(set, sumsName)) };
  const uses = set.tensors[usesName] === undefined ? new Uint16Array(0) : shortsOf(dataOf(set, usesName));
  return { halves: shortsOf(dataOf(set, name)), uses };
}

function dataOf({ tensors }: ParamSet, vector: string): Uint8Array | Float32Array {
  const data = tensors[vector]?.data;
  if (data instanceof Uint8Array || data instanceof Float32Array) return data;
  throw new RangeError(`the set of a round has no vector "${vector}"`);
}

/** Aligned: the bytes may stand anywhere. Throws a RangeError for bytes that are no whole numbers of the type. */
const shortsOf = (data: Uint8Array | Float32Array): Uint16Array => new Uint16Array(new Uint8Array(data).buffer);
const doublesOf = (data: Uint8Array | Float32Array): Float64Array => new Float64Array(new Uint8Array(data).buffer);
