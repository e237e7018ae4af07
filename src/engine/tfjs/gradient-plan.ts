import type { Graph } from '../../graph/graph.ts';

/** The roles of a graph's nodes relative to its Gradient node. */
export interface GradientPlan {
  /** Index of the Gradient node. */
  index: number;
  /** Nodes before it that depend on its targets, in order. */
  moving: ReadonlySet<number>;
  /** Outputs of these nodes that others use. */
  readLater: readonly string[];
  /** Inputs without gradient flow, by node. */
  held: ReadonlyMap<number, ReadonlySet<string>>;
}

/** Null if the graph has no Gradient node. */
export function planGradients(graph: Graph): GradientPlan | null {
  const index = graph.nodes.findIndex(({ op, domain }) => op === 'Gradient' && domain === 'rafiki');
  const gradient = graph.nodes[index];
  if (gradient === undefined) return null;
  const [loss, ...targets] = gradient.inputs;
  const moved = new Set(targets);
  const moving = new Set<number>();
  graph.nodes.slice(0, index).forEach(({ inputs, outputs }, i) => {
    if (!inputs.some((name) => moved.has(name))) return;
    moving.add(i);
    for (const name of outputs) moved.add(name);
  });
  const made = new Set([...moving].flatMap((i) => graph.nodes[i]?.outputs ?? []));
  const read = [
    ...graph.nodes.flatMap(({ inputs }, i) => (moving.has(i) || i === index ? [] : inputs)),
    ...graph.outputs.map(({ name }) => name),
  ];
  const readLater = [...new Set(read)].filter((name) => made.has(name) && name !== loss);
  return { index, moving, readLater, held: heldOf(graph, gradient.attributes['stopped'], moved) };
}

/** `held` lists pairs of node and input; only inputs that depend on the targets matter. */
function heldOf(graph: Graph, pairs: unknown, moved: ReadonlySet<string>): Map<number, Set<string>> {
  const held = new Map<number, Set<string>>();
  if (!Array.isArray(pairs)) return held;
  for (let i = 0; i < pairs.length; i += 2) {
    const node = Number(pairs[i]);
    const name = graph.nodes[node]?.inputs[Number(pairs[i + 1])];
    if (name !== undefined && moved.has(name)) held.set(node, (held.get(node) ?? new Set()).add(name));
  }
  return held;
}
