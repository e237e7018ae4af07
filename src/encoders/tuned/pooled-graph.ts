import type { Constant, Node } from '../../graph/graph.ts';
import type { OnnxGraph } from '../../graph/imported/read-onnx.ts';
import type { Pooling } from '../pooling.ts';

const TYPE_FLOAT = 1;

/** The value of an encoder's vectors, [N, width], of its answers `output`, and the graph with what `pooled` does outside of it. */
export function pooledGraph(graph: OnnxGraph, output: string, pooling: Pooling): { graph: OnnxGraph; output: string } {
  if (pooling === 'output') return { graph, output };
  const nodes: Node[] = [];
  const constants = new Map(graph.constants);
  const constant = (value: Omit<Constant, 'name'>): string => {
    const name = `pooling constant ${constants.size}`;
    constants.set(name, { ...value, name });
    return name;
  };
  const ints = (values: readonly number[], shape = [values.length]): string =>
    constant({ shape, dtype: 'int64', data: BigInt64Array.from(values, (value) => BigInt(value)) });
  const node = (op: string, inputs: string[], attributes: Node['attributes'] = {}): string => {
    const name = `pooling ${nodes.length}`;
    nodes.push({ op, domain: '', inputs, outputs: [name], attributes });
    return name;
  };
  const vectors = (): string => {
    if (pooling === 'cls') return node('Gather', [output, ints([0], [])], { axis: 1 });
    const mask = graph.inputs.find(({ name }) => name === 'attention_mask');
    if (mask === undefined) return node('ReduceMean', [output, ints([1])], { keepdims: 0 });
    const isToken = node('Cast', [mask.name], { to: TYPE_FLOAT });
    const one = constant({ shape: [], dtype: 'float32', data: Float32Array.of(1) });
    const count = node('Max', [node('ReduceSum', [isToken, ints([1])], { keepdims: 1 }), one]);
    const tokens = node('Mul', [output, node('Unsqueeze', [isToken, ints([2])])]);
    return node('Div', [node('ReduceSum', [tokens, ints([1])], { keepdims: 0 }), count]);
  };
  const last = vectors();
  return { graph: { ...graph, nodes: [...graph.nodes, ...nodes], constants, outputs: [last] }, output: last };
}
