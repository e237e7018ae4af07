import * as emit from '../graph/emit.ts';
import { elementTypes, Graph, type Value } from '../graph/graph.ts';
import { encodeModel } from '../graph/onnx.ts';

/** Names of the input and the output of {@link pooledWords}. */
export const pooledWordsNames = { ids: 'input_ids', vectors: 'vectors' } as const;

/** Below all numbers of vectors. */
const LOWEST = -1e30;

/**
 * An ONNX file that makes vectors of the numbers of words, [N, T] → [N, 3·width]: mean, maximum and minimum of the words' vectors ("Concatenated Power
 * Mean Word Embeddings", arXiv 1803.01400, with p = 1 and ±∞). `vectors` are [words, width]; word 0 is padding, and counts nowhere. They are kept
 * in 8 bits with a scale for each word.
 */
export function pooledWords(vectors: Float32Array, width: number): Uint8Array {
  const g = new Graph('words');
  const ids = g.input(pooledWordsNames.ids, ['rows', 'tokens'], 'int64');
  const { bytes, scales } = inBytes(vectors, width);
  const words = scales.length;
  const table = g.constant(bytes, [words, width], { dtype: 'int8' });
  const found = emit.cast(g, emit.gather(g, table, ids), 'float32', elementTypes.float32);
  const ofWords = emit.mul(g, found, emit.gather(g, g.constant(scales, [words, 1]), ids));
  const isWord = emit.cast(g, emit.cast(g, ids, 'bool', elementTypes.bool), 'float32', elementTypes.float32);
  const present = emit.reshape(g, isWord, ['rows', 'tokens', 1]);
  const mean = emit.div(g, emit.reduce(g, 'ReduceSum', ofWords, [1]), atLeastOne(g, present));
  const hidden = emit.mul(g, emit.sub(g, g.scalar(1), present), g.scalar(LOWEST));
  const isText = emit.reduce(g, 'ReduceMax', present, [1]);
  const most = (x: Value): Value => emit.mul(g, emit.reduce(g, 'ReduceMax', emit.add(g, x, hidden), [1]), isText);
  const least = emit.unary(g, 'Neg', most(emit.unary(g, 'Neg', ofWords)));
  const all = emit.concat(g, [mean, most(ofWords), least], 2);
  g.output(emit.reshape(g, all, ['rows', 3 * width]), pooledWordsNames.vectors);
  return encodeModel(g);
}

const atLeastOne = (g: Graph, present: Value): Value =>
  emit.binary(g, 'Max', emit.reduce(g, 'ReduceSum', present, [1]), g.scalar(1));

function inBytes(vectors: Float32Array, width: number): { bytes: Int8Array; scales: Float32Array } {
  const bytes = new Int8Array(vectors.length);
  const scales = new Float32Array(vectors.length / width);
  for (let word = 0; word < scales.length; word++) {
    const [from, to] = [word * width, (word + 1) * width];
    let largest = 0;
    for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(vectors[i] as number));
    const scale = largest / 127 || 1;
    for (let i = from; i < to; i++) bytes[i] = Math.round((vectors[i] as number) / scale);
    scales[word] = scale;
  }
  return { bytes, scales };
}
