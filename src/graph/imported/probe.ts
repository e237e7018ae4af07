import { Graph, type GraphParts, type Node, type Shape, unknownShape } from '../graph.ts';
import { encodeModel } from '../onnx.ts';
import type { OnnxGraph } from './read-onnx.ts';

/** The dimension of the rows of a batch. */
export const BATCH = 'N';

/** All values that nodes compute. */
const computed = ({ nodes }: OnnxGraph): string[] =>
  nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== ''));

const shapeOutput = (i: number): string => `shape ${i}`;

/** A file with the same inputs that answers with the shape of each computed value. */
export function shapesFile(graph: OnnxGraph): Uint8Array {
  const g = new Graph('shapes');
  const shapes = computed(graph).map((name, i): Node => {
    g.outputs.push({ name: shapeOutput(i), shape: ['rank'], dtype: 'int64' });
    return { op: 'Shape', domain: '', inputs: [name], outputs: [shapeOutput(i)], attributes: {} };
  });
  const parts: GraphParts = {
    name: 'shapes',
    nodes: [...graph.nodes, ...shapes],
    constants: [...graph.constants.values()],
    inputs: graph.inputs.map(({ name, dtype }) => ({ name, dtype, shape: unknownShape })),
    outputs: g.outputs,
  };
  return encodeModel(parts);
}

/** What runs of that file answered: the outputs by name. */
type ProbedShapes = Readonly<Record<string, ArrayLike<bigint | number>>>;

/**
 * The shape of each computed value from several runs on batches that differ in all sizes: what was the same in all runs is a number, and other
 * sizes are named by what they were, so that equal ones have equal names. `rows` are those of each run's batch.
 */
export function probedShapes(
  graph: OnnxGraph,
  runs: readonly { rows: number; shapes: ProbedShapes }[],
): Map<string, Shape> {
  const batch = runs.map(({ rows }) => rows).join();
  return new Map(
    computed(graph).map((name, i) => {
      const sizes = runs.map(({ shapes }) => Array.from(shapes[shapeOutput(i)] ?? [], Number));
      const [first = []] = sizes;
      if (sizes.some(({ length }) => length !== first.length))
        throw new RangeError(`the rank of "${name}" depends on the inputs`);
      const dims = first.map((size, axis) => {
        const own = sizes.map((shape) => shape[axis] as number);
        if (own.every((other) => other === size)) return size;
        return own.join() === batch ? BATCH : `d${own.join('_')}`;
      });
      return [name, dims];
    }),
  );
}
