import type { TensorData } from '../../domain/tensor.ts';
import { CorruptParams } from '../../errors/errors.ts';
import { packTrees, unpackTrees } from '../forest-tensors.ts';
import type { Tree } from '../tree.ts';

// What workers that grow a forest together send each other is one array of 64-bit numbers: sums, or trees, whose fields are exact in it.

/** Arrays one after the other; in `into` if that has their length. */
export function joinSums(arrays: readonly Float64Array[], into?: Float64Array): Float64Array {
  const size = arrays.reduce((sum, { length }) => sum + length, 0);
  const all = into?.length === size ? into : new Float64Array(size);
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

/** The same arrays again, as parts of the one; `like` has their lengths. Throws {@link CorruptParams} for another length. */
export function splitSums(all: Float64Array, like: readonly Float64Array[]): Float64Array[] {
  let at = 0;
  const arrays = like.map(({ length }) => {
    at += length;
    return all.subarray(at - length, at);
  });
  if (at !== all.length) throw damaged(`It has ${all.length} sums instead of ${at}.`);
  return arrays;
}

/** Fields of `packTrees`, in the order in which they are sent. */
const fields = {
  sizes: Int32Array,
  feature: Int32Array,
  split: Int32Array,
  left: Int32Array,
  right: Int32Array,
  missingLeft: Uint8Array,
  value: Float32Array,
  cover: Float32Array,
  sets: Int32Array,
};
const names = Object.keys(fields) as (keyof typeof fields)[];

/** The length of each field, then their numbers. */
export function flatTrees(trees: readonly Tree[]): Float64Array {
  const packed = packTrees(trees);
  const parts = names.map((name) => Float64Array.from(packed[name]?.data as Int32Array));
  return joinSums([Float64Array.from(parts, ({ length }) => length), ...parts]);
}

/** The trees of `flatTrees`. Throws {@link CorruptParams} for other numbers. */
export function treesOfFlat(flat: Float64Array): Tree[] {
  const tensors: Record<string, TensorData> = {};
  let at = names.length;
  for (const [i, name] of names.entries()) {
    const data = new fields[name](flat.subarray(at, at + (flat[i] ?? 0)));
    tensors[name] = { dtype: 'float32', shape: [data.length], data };
    at += data.length;
  }
  if (at !== flat.length) throw damaged(`It has ${flat.length} numbers instead of ${at}.`);
  return unpackTrees(tensors);
}

const damaged = (detail: string): CorruptParams =>
  new CorruptParams('what the leading worker of a forest has sent is damaged', {
    detail,
    hint: 'The trial continues without this worker.',
  });
