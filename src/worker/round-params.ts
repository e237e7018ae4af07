import type { RoundWeights } from '../domain/joint-training.ts';
import type { ParamSet } from '../domain/tensor.ts';
import type { ParamStore } from '../params/param-store.ts';

const name = 'weights';

/** Stores a vector in half precision, as bytes. */
export const saveHalves = (params: ParamStore, halves: Uint16Array): Promise<number> => {
  const data = new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength);
  return params.save('round', { tensors: { [name]: { dtype: 'uint8', shape: [data.length], data } }, meta: {} });
};

export const saveWeights = (params: ParamStore, weights: RoundWeights): Promise<number> => {
  if (weights.kind === 'change') return saveHalves(params, weights.halves);
  const { values } = weights;
  return params.save('round', {
    tensors: { [name]: { dtype: 'float32', shape: [values.length], data: values } },
    meta: {},
  });
};

export async function loadWeights(params: ParamStore, id: number): Promise<RoundWeights> {
  const data = dataOf(await params.load(id));
  if (data instanceof Float32Array) return { kind: 'all', values: data };
  return { kind: 'change', halves: halvesOf(data) };
}

export const loadHalves = async (params: ParamStore, id: number): Promise<Uint16Array> =>
  halvesOf(dataOf(await params.load(id)));

function dataOf({ tensors }: ParamSet): Uint8Array | Float32Array {
  const data = tensors[name]?.data;
  if (data instanceof Uint8Array || data instanceof Float32Array) return data;
  throw new RangeError('a round has its weights as one vector');
}

/** Aligned: the bytes may stand anywhere. */
const halvesOf = (data: Uint8Array | Float32Array): Uint16Array => new Uint16Array(new Uint8Array(data).buffer);
