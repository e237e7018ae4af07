import { NotSupported } from '../../errors/errors.ts';
import { unknownShape } from '../../graph/graph.ts';
import { Conversion, type SparseInputs } from './conversion.ts';
import { graphOps } from './graph-ops.ts';
import { malformed, type TfjsGraph, type TfjsNode } from './model-json.ts';
import type { OnnxWriter } from './onnx-writer.ts';

export interface GraphCut {
  /** Two inputs in whose place is `ids` [N, T]. */
  sparse?: SparseInputs;
  /**
   * Nodes whose answers make one vector, one after the other: means over pixels of images, vectors as they are; none: the outputs of the graph. The
   * input is then one of images [N, C, H, W], of any size.
   */
  vectorsOf?: readonly string[];
}

/**
 * An ONNX file of a graph model, or of its part up to a node, with its inputs under their names; whole numbers are fed as int32. Throws
 * {@link NotSupported} for an op that is not among `graphOps`.
 */
export function convertGraph(whole: TfjsGraph, { sparse, vectorsOf }: GraphCut = {}): Uint8Array {
  const last = vectorsOf?.length ? vectorsOf : outputsOf(whole);
  const graph = vectorsOf === undefined ? whole : { ...whole, nodes: neededFor(whole, last), outputs: last };
  const missing = new Set(graph.nodes.map(({ op }) => op).filter((op) => !isKnown(op)));
  if (missing.size > 0) throw unknownOps([...missing]);
  const conversion = new Conversion(graph, { isOfImages: vectorsOf !== undefined });
  if (sparse !== undefined) conversion.sparsePlaceholders(sparse);
  const isFed = ({ name }: TfjsNode): boolean => name === sparse?.indices || name === sparse?.values;
  for (const node of inOrder(graph)) {
    if (node.op === 'Const' || isFed(node)) continue;
    if (node.op === 'Placeholder') conversion.placeholder(node);
    else conversion.convert(node, graphOps[node.op] as NonNullable<(typeof graphOps)[string]>);
  }
  const { write } = conversion;
  if (vectorsOf === undefined) {
    for (const name of last) write.output(conversion.value(name), name, unknownShape);
  } else {
    const vectors = last.map((name) => meanOfPixels(write, conversion.value(name)));
    write.output(write.node('Concat', vectors, { attributes: { axis: 1 } }), 'vectors', unknownShape);
  }
  return write.encode('converted');
}

/** Of [N, H, W, C], or of [N, C], which has one; graphs do not say which an answer is. */
function meanOfPixels(write: OnnxWriter, answer: string): string {
  const channels = write.node('Shape', [answer], { attributes: { start: -1 }, kind: 'int' });
  const sizes = write.node('Concat', [write.ints([0, -1]), channels], { attributes: { axis: 0 } });
  const pixels = write.node('Reshape', [answer, sizes], { kind: 'float' });
  return write.node('ReduceMean', [pixels, write.ints([1])], { attributes: { keepdims: 0 } });
}

/** Nodes with all that they need. */
function neededFor({ nodes }: TfjsGraph, last: readonly string[]): TfjsNode[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const needed = new Map<string, TfjsNode>();
  const open = [...last];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = byName.get(nodeName(name));
    if (node === undefined) throw malformed(`there is no node "${name}"`);
    if (needed.has(node.name)) continue;
    needed.set(node.name, node);
    open.push(...node.inputs);
  }
  return [...needed.values()];
}

const isKnown = (op: string): boolean => op === 'Const' || op === 'Placeholder' || Object.hasOwn(graphOps, op);

/** Those that are named, or those that no node reads. */
function outputsOf({ nodes, outputs }: TfjsGraph): readonly string[] {
  if (outputs.length > 0) return outputs;
  const read = new Set(nodes.flatMap(({ inputs }) => inputs.map(nodeName)));
  const last = nodes.filter(({ name, op }) => op !== 'Const' && !read.has(name)).map(({ name }) => name);
  if (last.length > 0) return last;
  throw malformed('the graph has no output');
}

const nodeName = (value: string): string => value.replace(/:\d+$/, '');

/** Each node after those that it reads. */
function inOrder({ nodes }: TfjsGraph): TfjsNode[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const states = new Map<string, 'open' | 'done'>();
  const ordered: TfjsNode[] = [];
  // A stack of its own: a long graph would be too deep for recursion.
  for (const root of nodes) {
    const stack = [root];
    while (stack.length > 0) {
      const node = stack.at(-1) as TfjsNode;
      const state = states.get(node.name);
      if (state === undefined) {
        states.set(node.name, 'open');
        for (const input of node.inputs) {
          const before = byName.get(nodeName(input));
          if (before === undefined || states.get(before.name) === 'done') continue;
          if (states.get(before.name) === 'open') throw malformed(`node "${before.name}" reads its own output`);
          stack.push(before);
        }
        continue;
      }
      stack.pop();
      if (state === 'open') ordered.push(node);
      states.set(node.name, 'done');
    }
  }
  return ordered;
}

const unknownOps = (ops: readonly string[]): NotSupported =>
  new NotSupported('the TensorFlow.js model has ops that cannot be converted to ONNX', {
    detail: `They are: ${[...ops].sort().join(', ')}.`,
    hint: 'Export the model to ONNX with the tool of the library that it comes from.',
  });
