import type { GraphParts, Node } from '../graph.ts';

const extremes = { low: 'ReduceMin', high: 'ReduceMax' } as const;

/** Name of the output with the smallest or the largest number of a value. */
export const rangeOutput = (name: string, side: keyof typeof extremes): string => `${name}.${side}`;

/** The graph with additional scalar outputs: the minimum and maximum of each value in `names`. */
export function withRangeOutputs(graph: GraphParts, names: readonly string[]): GraphParts {
  const sides = Object.keys(extremes) as (keyof typeof extremes)[];
  const nodes = names.flatMap((name) =>
    sides.map(
      (side): Node => ({
        op: extremes[side],
        domain: '',
        inputs: [name],
        outputs: [rangeOutput(name, side)],
        attributes: { keepdims: 0 },
      }),
    ),
  );
  const outputs = nodes.map(({ outputs: [name = ''] }) => ({ name, shape: [], dtype: 'float32' as const }));
  return { ...graph, nodes: [...graph.nodes, ...nodes], outputs: [...graph.outputs, ...outputs] };
}
