import type { Graph } from '../../graph/graph.ts';

/** How the nodes of a graph stand to its one Gradient node. */
export interface GradientPlan {
  /** Where it stands among the nodes. */
  index: number;
  /** Nodes before it that change when its targets do, in order. */
  moving: ReadonlySet<number>;
  /** What moving nodes make and others read. */
  readLater: readonly string[];
  /** Inputs of a node through which no gradient flows, by node. */
  held: ReadonlyMap<number, ReadonlySet<string>>;
}

/** Null where the graph has no gradients. */
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
  return { index, moving, readLater, held: heldOf(graph, gradient.attributes['held'], moved) };
}

/** `held` lists pairs of node and input; only those that move need to be held still. */
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
