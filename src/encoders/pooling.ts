import { CorruptParams } from '../errors/errors.ts';
import { type Constant, elementTypes, type Node, type Shape, unknownShape } from '../graph/graph.ts';
import { encodeModel } from '../graph/onnx.ts';

/** How an encoder's output becomes a vector: it is one; the mean of those of a text's tokens or an image's pixels; or that of the first token. */
export const poolings = ['output', 'mean', 'cls'] as const;
export type Pooling = (typeof poolings)[number];

export const isPooling = (value: unknown): value is Pooling => poolings.some((name) => name === value);

/** What an encoder answers with: [rows, width], or [rows, T, width], or [rows, width, height, width of an image] with channels first. */
export interface EncoderAnswer {
  name: string;
  shape: Shape;
}

interface PoolingNodes {
  nodes: readonly Node[];
  constants: readonly Constant[];
  /** The value of the vectors, [rows, width]: the answer itself if there are no nodes. */
  vectors: string;
}

/**
 * Makes vectors of an encoder's answer. The only definition: encoders as they are run these nodes after their own file, trained ones have them in their graph.
 * `mask` is the input that says which tokens of a text are no padding, [rows, T], if the encoder has one. Throws {@link CorruptParams} for an answer
 * that does not fit the pooling.
 */
export function poolingNodes(pooling: Pooling, { name: answer, shape }: EncoderAnswer, mask?: string): PoolingNodes {
  const nodes: Node[] = [];
  const constants: Constant[] = [];
  const constant = (value: Omit<Constant, 'name'>): string => {
    const name = `pooling constant ${constants.length}`;
    constants.push({ ...value, name });
    return name;
  };
  const ints = (values: readonly number[], dims = [values.length]): string =>
    constant({ shape: dims, dtype: 'int64', data: BigInt64Array.from(values, (value) => BigInt(value)) });
  const float = (value: number): string => constant({ shape: [], dtype: 'float32', data: Float32Array.of(value) });
  const node = (op: string, inputs: string[], attributes: Node['attributes'] = {}): string => {
    const name = `pooling ${nodes.length}`;
    nodes.push({ op, domain: '', inputs, outputs: [name], attributes });
    return name;
  };
  const maskedMean = (given: string): string => {
    const isToken = node('Cast', [given], { to: elementTypes.bool });
    const count = node('ReduceSum', [node('Cast', [isToken], { to: elementTypes.float32 }), ints([1])], {
      keepdims: 1,
    });
    // chosen, not multiplied: what an encoder answers for padding need not be finite
    const tokens = node('Where', [node('Unsqueeze', [isToken, ints([2])]), answer, float(0)]);
    return node('Div', [node('ReduceSum', [tokens, ints([1])], { keepdims: 0 }), node('Max', [count, float(1)])]);
  };
  const vectors = (): string => {
    const axes = shape.length;
    if (axes === 2 && pooling === 'output') return answer;
    if (axes === 4 && pooling !== 'cls') return node('ReduceMean', [answer, ints([2, 3])], { keepdims: 0 });
    if (axes === 3 && pooling === 'cls') return node('Gather', [answer, ints([0], [])], { axis: 1 });
    if (axes !== 3 || pooling !== 'mean') throw noVectors(shape, pooling);
    return mask === undefined ? node('ReduceMean', [answer, ints([1])], { keepdims: 0 }) : maskedMean(mask);
  };
  const last = vectors();
  return { nodes, constants, vectors: last };
}

/** Inputs and output of {@link poolingFile}. */
export const poolingNames = { answer: 'answer', mask: 'mask', vectors: 'vectors' } as const;

/** An ONNX file of the pooling alone; null if the answer is the vectors. */
export function poolingFile(pooling: Pooling, shape: Shape, hasMask: boolean): Uint8Array | null {
  const { answer, mask, vectors: output } = poolingNames;
  const { nodes, constants, vectors } = poolingNodes(pooling, { name: answer, shape }, hasMask ? mask : undefined);
  if (nodes.length === 0) return null;
  const isRead = nodes.some(({ inputs }) => inputs.includes(mask));
  const named: Node = { op: 'Identity', domain: '', inputs: [vectors], outputs: [output], attributes: {} };
  return encodeModel({
    ...{ name: 'pooling', nodes: [...nodes, named], constants: [...constants] },
    inputs: [
      { name: answer, shape: unknownShape, dtype: 'float32' },
      ...(isRead ? [{ name: mask, shape: unknownShape, dtype: 'int64' as const }] : []),
    ],
    outputs: [{ name: output, shape: unknownShape, dtype: 'float32' }],
  });
}

export const noVectors = (shape: Shape, pooling: Pooling): CorruptParams =>
  new CorruptParams('the encoder does not answer with a vector for each input', {
    detail: `Its answer has the shape [${shape.join(', ')}], and the pooling is ${pooling}.`,
    hint: 'Add it with another --pooling: output reads [rows, width], mean and cls read [rows, tokens, width], mean also [rows, width, height, width].',
  });
