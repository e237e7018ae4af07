import type { TensorData } from '../domain/tensor.ts';
import { CorruptParams } from '../errors/errors.ts';
import type { ScoringForest } from './contributions.ts';
import type { FeatureBins } from './feature-bins.ts';
import { setWords, type Tree } from './tree.ts';

/** Trees as tensors to be stored: the nodes of all trees one after the other, and how many nodes and sets each tree has. */
export function packTrees(trees: readonly Tree[]): Record<string, TensorData> {
  const sizes = trees.flatMap(({ feature, sets }) => [feature.length, sets.length / setWords]);
  return {
    sizes: int32(Int32Array.from(sizes)),
    feature: int32(joined(Int32Array, trees, 'feature')),
    split: int32(joined(Int32Array, trees, 'split')),
    left: int32(joined(Int32Array, trees, 'left')),
    right: int32(joined(Int32Array, trees, 'right')),
    missingLeft: uint8(joined(Uint8Array, trees, 'missingLeft')),
    value: float32(joined(Float32Array, trees, 'value')),
    cover: float32(joined(Float32Array, trees, 'cover')),
    sets: int32(new Int32Array(joined(Uint32Array, trees, 'sets').buffer)),
  };
}

/** The trees of `packTrees`. Throws {@link CorruptParams} for other tensors. */
export function unpackTrees(tensors: Readonly<Record<string, TensorData>>): Tree[] {
  const ints = (name: string): Int32Array => {
    const data = tensors[name]?.data;
    if (data instanceof Int32Array) return data;
    throw unfit(name);
  };
  const floats = (name: string): Float32Array => {
    const data = tensors[name]?.data;
    if (data instanceof Float32Array) return data;
    throw unfit(name);
  };
  const missingLeft = tensors['missingLeft']?.data;
  if (!(missingLeft instanceof Uint8Array)) throw unfit('missingLeft');
  const [sizes, feature, split, left, right] = ['sizes', 'feature', 'split', 'left', 'right'].map(ints) as Five;
  const [value, cover, sets] = [floats('value'), floats('cover'), Uint32Array.from(ints('sets'))];
  const trees: Tree[] = [];
  let [node, word] = [0, 0];
  for (let tree = 0; 2 * tree < sizes.length; tree++) {
    const [from, firstWord] = [node, word];
    node += sizes[2 * tree] as number;
    word += (sizes[2 * tree + 1] as number) * setWords;
    trees.push({
      ...{ feature: feature.slice(from, node), split: split.slice(from, node) },
      ...{ left: left.slice(from, node), right: right.slice(from, node) },
      ...{ missingLeft: missingLeft.slice(from, node), value: value.slice(from, node), cover: cover.slice(from, node) },
      sets: sets.slice(firstWord, word),
    });
  }
  if (node !== feature.length || word !== sets.length) throw unfit('sizes');
  return trees;
}

/** The parts of a forest that its scores are made of, as tensors to be stored. */
export function packForest({ features, base, trees }: ScoringForest): Record<string, TensorData> {
  const edges = new Float32Array(features.reduce((sum, each) => sum + each.edges.length, 0));
  let at = 0;
  for (const each of features) {
    edges.set(each.edges, at);
    at += each.edges.length;
  }
  return {
    ...packTrees(trees),
    base: float32(base.slice()),
    categorical: uint8(Uint8Array.from(features, ({ categorical }) => Number(categorical))),
    counts: int32(Int32Array.from(features.flatMap(({ count, edges: own }) => [count, own.length]))),
    edges: float32(edges),
  };
}

/** The forest of `packForest`. Throws {@link CorruptParams} for other tensors. */
export function unpackForest(tensors: Readonly<Record<string, TensorData>>): ScoringForest {
  const [base, edges] = [tensors['base']?.data, tensors['edges']?.data];
  const [categorical, counts] = [tensors['categorical']?.data, tensors['counts']?.data];
  if (!(base instanceof Float32Array)) throw unfit('base');
  if (!(edges instanceof Float32Array)) throw unfit('edges');
  if (!(categorical instanceof Uint8Array)) throw unfit('categorical');
  if (!(counts instanceof Int32Array) || counts.length !== 2 * categorical.length) throw unfit('counts');
  let at = 0;
  const features = Array.from(categorical, (isCategorical, f): FeatureBins => {
    const from = at;
    at += counts[2 * f + 1] as number;
    return { categorical: isCategorical === 1, count: counts[2 * f] as number, edges: edges.slice(from, at) };
  });
  return { features, base, trees: unpackTrees(tensors) };
}

type Five = [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

interface Joinable extends ArrayBufferView {
  readonly length: number;
  set(values: ArrayLike<number>, at: number): void;
}

/** One field of all trees in a row. */
function joined<Numbers extends Joinable>(
  kind: new (length: number) => Numbers,
  trees: readonly Tree[],
  field: keyof Tree,
): Numbers {
  const all = new kind(trees.reduce((sum, tree) => sum + tree[field].length, 0));
  let at = 0;
  for (const tree of trees) {
    all.set(tree[field], at);
    at += tree[field].length;
  }
  return all;
}

const int32 = (data: Int32Array): TensorData => ({ dtype: 'int32', shape: [data.length], data });
const uint8 = (data: Uint8Array): TensorData => ({ dtype: 'uint8', shape: [data.length], data });
const float32 = (data: Float32Array): TensorData => ({ dtype: 'float32', shape: [data.length], data });

const unfit = (name: string): CorruptParams =>
  new CorruptParams('the stored trees cannot be read', {
    detail: `"${name}" is missing, or has another type or length`,
    hint: 'A trial must start from the beginning, a model must be trained again.',
  });
