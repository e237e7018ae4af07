import type { TensorData } from '../../../../src/domain/tensor.ts';
import { loadModel } from '../../../../src/engine/inference.ts';
import { Graph, type Value } from '../../../../src/graph/graph.ts';
import { encodeModel } from '../../../../src/graph/onnx.ts';

/** Runs a graph of one output on given numbers; nothing in it moves. */
export async function forward(
  feeds: Record<string, TensorData>,
  build: (g: Graph, of: (name: string) => Value) => Value,
): Promise<number[]> {
  const g = new Graph('check');
  const values = new Map(Object.entries(feeds).map(([name, { shape, dtype }]) => [name, g.input(name, shape, dtype)]));
  g.output(
    build(g, (name) => {
      const value = values.get(name);
      if (value === undefined) throw new RangeError(name);
      return value;
    }),
    'y',
  );
  const model = await loadModel(encodeModel(g), { threads: 1 });
  try {
    return Array.from((await model.run(feeds)).data, Number);
  } finally {
    await model.release();
  }
}

export const floats = (shape: number[], values: readonly number[]): TensorData => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(values),
});
