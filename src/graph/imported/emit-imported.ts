import type { Constant, Dim, Node, Shape, Value } from '../graph.ts';
import { absent } from '../graph.ts';
import type { Tape } from '../tape.ts';
import type { ForeignOp } from './gradients/gradient.ts';
import { gradientRules, isDiscrete, opName } from './gradients/registry.ts';
import { BATCH } from './probe.ts';
import type { OnnxGraph } from './read-onnx.ts';

/** A foreign graph whose shapes are known, as far as its output needs it. */
export interface ImportedGraph {
  nodes: readonly Node[];
  constants: ReadonlyMap<string, Constant>;
  inputs: OnnxGraph['inputs'];
  /** The value that is read. */
  output: string;
  /** Of all values that its nodes compute. */
  shapes: ReadonlyMap<string, Shape>;
}

interface GivenValues {
  /** The graph's inputs, with a batch of rows as the first dimension. */
  inputs: ReadonlyMap<string, Value>;
  /** Its weights that are trained, in place of its constants. */
  weights: ReadonlyMap<string, Value>;
}

/** Apart from names of our own nodes. */
const prefix = 'e.';

/**
 * Adds the nodes of a foreign graph as they are, and records the gradients of those that have them. Throws `NotSupported` while gradients are
 * emitted for an operator in a form that has none.
 */
export function emitImported(t: Tape, graph: ImportedGraph, given: GivenValues): Value {
  const values = new Map<string, Value>([...given.inputs, ...given.weights]);
  const batch: Dim = [...given.inputs.values()][0]?.shape[0] ?? BATCH;
  const named = (name: string): Value => {
    if (name === '') return absent;
    const known = values.get(name) ?? constantValue(t, graph, name);
    values.set(name, known);
    return known;
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map(named);
    const outputs = node.outputs.map((name): Value => {
      if (name === '') return absent;
      const shape = (graph.shapes.get(name) ?? []).map((dim) => (dim === BATCH ? batch : dim));
      return { name: prefix + name, shape, dtype: 'float32' };
    });
    for (const [i, name] of node.outputs.entries()) values.set(name, outputs[i] as Value);
    t.graph.nodeInto(node.op, inputs, outputs, { attributes: node.attributes, domain: node.domain });
    record(t, graph, { node, inputs, outputs });
  }
  return named(graph.output);
}

function constantValue(t: Tape, { constants }: ImportedGraph, name: string): Value {
  const constant = constants.get(name);
  if (constant === undefined) throw new RangeError(`the graph has no value "${name}"`);
  return t.graph.constant(constant.data, constant.shape, { dtype: constant.dtype, name: prefix + name });
}

/** What has no rule was found when weights were chosen: none of them needs its gradient. */
function record(
  t: Tape,
  { constants }: ImportedGraph,
  { node, inputs, outputs }: Pick<ForeignOp, 'node' | 'inputs' | 'outputs'>,
): void {
  const rule = gradientRules[opName(node)];
  if (rule === undefined || isDiscrete(node)) return;
  const { through = inputs.map((_, place) => place) } = rule;
  const flowing = through.filter((place) => place < inputs.length);
  const constant = (place: number): Constant | undefined => constants.get(node.inputs[place] ?? '');
  outputs.forEach((y, place) => {
    if (y.name === '') return;
    const op: ForeignOp = { g: t.graph, node, inputs, outputs, y, place, constant, threaded: t.threaded };
    t.record(
      y,
      flowing.map((at) => inputs[at] as Value),
      (dy, needs) => {
        const all = rule.gradient(op, dy, (at) => needs(inputs[at] as Value));
        return flowing.map((at) => all[at] ?? null);
      },
    );
  });
}
