import type { Constant, GraphParts, Node } from '../graph.ts';
import { GraphEdit } from './graph-edit.ts';

/** y = a·x + b of each channel. */
interface Norm {
  a: Float32Array;
  b: Float32Array;
}

/** A convolution whose results, perhaps pooled and joined with others', are the channels from `first` on of what is normalised. */
interface Source {
  conv: Node;
  weights: Constant;
  first: number;
  pooled: boolean;
}

/**
 * Batch norm of inference moved into the convolutions before it, through max pooling and concatenation: w′ = a·w, b′ = a·b + β − a·μ
 * with a = γ / √(σ² + ε). A norm stays where something else reads what it normalises, or where a ≤ 0 turns a maximum's order round.
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
    if (norm === null || sources === null || sources.some((source) => turns(source, norm))) continue;
    for (const source of sources) fold(edit, source, norm);
    edit.remove(node, x);
  }
  return edit.done();
}

function normOf({ attributes }: Node, [gamma, beta, mean, variance]: (Float32Array | undefined)[]): Norm | null {
  if (gamma === undefined || beta === undefined || mean === undefined || variance === undefined) return null;
  const { epsilon = { float: 1e-5 } } = attributes;
  const tiny = typeof epsilon === 'object' && 'float' in epsilon ? epsilon.float : 1e-5;
  const a = gamma.map((g, c) => g / Math.sqrt((variance[c] as number) + tiny));
  return { a, b: beta.map((shift, c) => shift - (a[c] as number) * (mean[c] as number)) };
}

/** Null where the value is not made by convolutions alone that nobody else reads. */
function sourcesOf(edit: GraphEdit, name: string, place: { first: number; pooled: boolean }): Source[] | null {
  const node = edit.maker(name);
  if (node === undefined || edit.readers(name).length !== 1) return null;
  const [x = ''] = node.inputs;
  if (node.op === 'MaxPool') return sourcesOf(edit, x, { ...place, pooled: true });
  if (node.op === 'Concat') return sourcesOfAll(edit, node.inputs, place);
  const weights = node.op === 'Conv' ? edit.constant(node.inputs[1]) : undefined;
  return weights === undefined ? null : [{ conv: node, weights, ...place }];
}

function sourcesOfAll(
  edit: GraphEdit,
  names: readonly string[],
  { first, pooled }: { first: number; pooled: boolean },
): Source[] | null {
  const all: Source[] = [];
  let next = first;
  for (const name of names) {
    const sources = sourcesOf(edit, name, { first: next, pooled });
    if (sources === null) return null;
    all.push(...sources);
    next += sources.reduce((sum, { weights }) => sum + Number(weights.shape[0]), 0);
  }
  return all;
}

const turns = ({ weights, first, pooled }: Source, { a }: Norm): boolean =>
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
    edit.add(`${weights.name}.folded`, scaled, weights.shape),
    edit.add(`${weights.name}.shift`, shifted, [channels]),
  ]);
}
