import type { Constant, GraphParts, Node } from '../graph.ts';
import { GraphEdit } from './graph-edit.ts';

/** y = a·x + b of each channel. */
interface Norm {
  a: Float32Array;
  b: Float32Array;
}

/** A convolution whose results, possibly pooled and concatenated, are the norm's input channels from `first` on. */
interface Source {
  conv: Node;
  weights: Constant;
  first: number;
  pooled: boolean;
}

/**
 * Batch norm of inference moved into the convolutions before it, through max pooling and concatenation: w′ = a·w, b′ = a·b + β − a·μ
 * with a = γ / √(σ² + ε). A norm is kept if another node reads its input, or if a ≤ 0 would turn a maximum into a minimum.
 */
export function foldNorms(graph: GraphParts): GraphParts {
  const edit = new GraphEdit(graph);
  for (const node of edit.nodes.filter(({ op }) => op === 'BatchNormalization')) {
    const [x = '', ...parts] = node.inputs;
    const norm = normOf(
      node,
      parts.map((name) => edit.floats(name)),
    );
    const sources = sourcesOf(edit, x, { first: 0, pooled: false });
    if (norm === null || sources === null || sources.some((source) => reversesOrder(source, norm))) continue;
    for (const source of sources) fold(edit, source, norm);
    edit.remove(node, x);
  }
  return edit.result();
}

function normOf({ attributes }: Node, [gamma, beta, mean, variance]: (Float32Array | undefined)[]): Norm | null {
  if (gamma === undefined || beta === undefined || mean === undefined || variance === undefined) return null;
  const { epsilon = { float: 1e-5 } } = attributes;
  const added = typeof epsilon === 'object' && 'float' in epsilon ? epsilon.float : 1e-5;
  const a = gamma.map((g, c) => g / Math.sqrt((variance[c] as number) + added));
  return { a, b: beta.map((shift, c) => shift - (a[c] as number) * (mean[c] as number)) };
}

/** Null unless the value comes from convolutions only, through values that no other node reads. */
function sourcesOf(edit: GraphEdit, name: string, at: { first: number; pooled: boolean }): Source[] | null {
  const node = edit.producer(name);
  if (node === undefined || edit.consumers(name).length !== 1) return null;
  const [x = ''] = node.inputs;
  if (node.op === 'MaxPool') return sourcesOf(edit, x, { ...at, pooled: true });
  if (node.op === 'Concat') return sourcesOfAll(edit, node.inputs, at);
  const weights = node.op === 'Conv' ? edit.constant(node.inputs[1]) : undefined;
  return weights === undefined ? null : [{ conv: node, weights, ...at }];
}

function sourcesOfAll(
  edit: GraphEdit,
  names: readonly string[],
  { first, pooled }: { first: number; pooled: boolean },
): Source[] | null {
  const sources: Source[] = [];
  let next = first;
  for (const name of names) {
    const parts = sourcesOf(edit, name, { first: next, pooled });
    if (parts === null) return null;
    sources.push(...parts);
    next += parts.reduce((sum, { weights }) => sum + Number(weights.shape[0]), 0);
  }
  return sources;
}

const reversesOrder = ({ weights, first, pooled }: Source, { a }: Norm): boolean =>
  pooled && a.subarray(first, first + Number(weights.shape[0])).some((scale) => scale <= 0);

function fold(edit: GraphEdit, { conv, weights, first }: Source, { a, b }: Norm): void {
  const channels = Number(weights.shape[0]);
  const before = edit.floats(weights.name) ?? new Float32Array(0);
  const bias = edit.floats(conv.inputs[2]) ?? new Float32Array(channels);
  const size = before.length / channels;
  const scaled = before.map((w, i) => w * (a[first + Math.floor(i / size)] as number));
  const shifted = bias.map((shift, c) => shift * (a[first + c] as number) + (b[first + c] as number));
  edit.setInputs(conv, [
    conv.inputs[0] ?? '',
    edit.addConstant(`${weights.name}.folded`, scaled, weights.shape),
    edit.addConstant(`${weights.name}.shift`, shifted, [channels]),
  ]);
}
