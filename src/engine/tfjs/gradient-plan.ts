import type { Graph } from '../../graph/graph.ts';

/** The roles of a graph's nodes relative to its Gradient node. */
export interface GradientPlan {
  /** Index of the Gradient node. */
  index: number;
  /** Nodes before it that depend on its targets, in order. */
  differentiated: ReadonlySet<number>;
  /** Outputs of these nodes that others use. */
  readLater: readonly string[];
  /** Inputs without gradient flow, by node. */
  stopped: ReadonlyMap<number, ReadonlySet<string>>;
}

/** Null if the graph has no Gradient node. */
export function planGradients(graph: Graph): GradientPlan | null {
  const index = graph.nodes.findIndex(({ op, domain }) => op === 'Gradient' && domain === 'rafiki');
  const gradient = graph.nodes[index];
  if (gradient === undefined) return null;
  const [loss, ...targets] = gradient.inputs;
  const dependent = new Set(targets);
  const differentiated = new Set<number>();
  graph.nodes.slice(0, index).forEach(({ inputs, outputs }, i) => {
    if (!inputs.some((name) => dependent.has(name))) return;
    differentiated.add(i);
    for (const name of outputs) dependent.add(name);
  });
  const computed = new Set([...differentiated].flatMap((i) => graph.nodes[i]?.outputs ?? []));
  const read = [
    ...graph.nodes.flatMap(({ inputs }, i) => (differentiated.has(i) || i === index ? [] : inputs)),
    ...graph.outputs.map(({ name }) => name),
  ];
  const readLater = [...new Set(read)].filter((name) => computed.has(name) && name !== loss);
  return { index, differentiated, readLater, stopped: stoppedOf(graph, gradient.attributes['stopped'], dependent) };
}

/** `pairs` of node and input from the attribute `stopped`; only inputs that depend on the targets matter. */
function stoppedOf(graph: Graph, pairs: unknown, dependent: ReadonlySet<string>): Map<number, Set<string>> {
  const stopped = new Map<number, Set<string>>();
  if (!Array.isArray(pairs)) return stopped;
  for (let i = 0; i < pairs.length; i += 2) {
    const node = Number(pairs[i]);
    const name = graph.nodes[node]?.inputs[Number(pairs[i + 1])];
    if (name !== undefined && dependent.has(name)) stopped.set(node, (stopped.get(node) ?? new Set()).add(name));
  }
  return stopped;
}
