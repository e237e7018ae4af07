import type { TensorData } from '../../../src/domain/tensor.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { onnxEngine } from '../../../src/engine/onnx-engine.ts';
import type { GraphSession } from '../../../src/engine/session.ts';
import { toPlain } from '../../../src/graph/blocked/layout.ts';
import * as emit from '../../../src/graph/emit.ts';
import { Graph, type Shape, type Value } from '../../../src/graph/graph.ts';
import { Tape } from '../../../src/graph/tape.ts';
import { createRng } from '../../../src/runtime/rng.ts';

export interface GradientCase {
  /** Differentiable inputs by name. */
  inputs: Record<string, readonly number[]>;
  /** Inputs that are given and not differentiated, e.g. ids. */
  given?: Record<string, TensorData>;
  /** How the graph declares a given input whose dimensions are named. */
  declared?: Record<string, Shape>;
  build(t: Tape, of: (name: string) => Value): Value;
  step?: number;
  threads?: number;
  /** Channels in a block of an image's memory. */
  block?: number;
}

/** The largest |emitted − measured| / max |emitted| over all entries of all inputs. */
export async function gradientError({ step = 1e-2, ...gradientCase }: GradientCase): Promise<number> {
  const { session, feeds, names } = await compile(gradientCase);
  const lossOf = async (): Promise<number> => Number((await session.run(feeds))['loss']?.data[0]);
  try {
    const emitted = await session.run(feeds);
    let worst = 0;
    for (const name of names) {
      const x = feeds[name]?.data as Float32Array;
      const dx = emitted[`d.${name}`]?.data as Float32Array;
      const scale = dx.reduce((largest, d) => Math.max(largest, Math.abs(d)), 1e-6);
      for (let i = 0; i < x.length; i++) {
        const held = x[i] as number;
        x[i] = held + step;
        const above = await lossOf();
        x[i] = held - step;
        const below = await lossOf();
        x[i] = held;
        worst = Math.max(worst, Math.abs((above - below) / (2 * step) - (dx[i] as number)) / scale);
      }
    }
    return worst;
  } finally {
    await session.release();
  }
}

/** What the case builds, the loss and all gradients by name, on random inputs that are the same for the same shapes. */
export async function lossAndGradients(
  gradientCase: GradientCase,
  engine?: Engine,
): Promise<Record<string, Float32Array>> {
  const { session, feeds } = await compile(gradientCase, engine);
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
}

interface Compiled {
  session: GraphSession;
  feeds: Record<string, TensorData>;
  names: string[];
}

async function compile(
  { inputs, given = {}, declared = {}, build, threads = 1, block = 1 }: GradientCase,
  engine = onnxEngine('cpu'),
): Promise<Compiled> {
  const kernels = { ...(await engine.kernels(threads)), block };
  const g = new Graph('check', kernels);
  const rng = createRng(7);
  const random = (shape: readonly number[]): Float32Array =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal());
  const noise: Record<string, TensorData> = {};
  const noiseInput = (shape: Shape): Value => {
    const name = `noise${Object.keys(noise).length}`;
    const data = random(shape.map(Number)).map(() => rng.uniform());
    noise[name] = { dtype: 'float32', shape: shape.map(Number), data };
    return g.input(name, shape);
  };
  const tape = Tape.forTraining(g, { noise: noiseInput, ...kernels });
  const values = new Map(Object.entries(inputs).map(([name, shape]) => [name, g.input(name, shape)]));
  for (const [name, { shape, dtype }] of Object.entries(given))
    values.set(name, g.input(name, declared[name] ?? shape, dtype));

  const y = toPlain(
    tape,
    build(tape, (name) => values.get(name) as Value),
  );
  const loss = y.shape.length === 0 ? y : weighted(tape, y, { random });
  g.output(y, 'y');
  g.output(loss, 'loss');
  const names = Object.keys(inputs);
  const targets = names.map((name) => values.get(name) as Value);
  tape.gradients(loss, targets).forEach((gradient, i) => {
    g.output(gradient, `d.${names[i]}`);
  });
  const feeds: Record<string, TensorData> = { ...given, ...noise };
  for (const [name, shape] of Object.entries(inputs))
    feeds[name] = { dtype: 'float32', shape: [...shape], data: random(shape) };
  return { session: await engine.borrow(g, threads), feeds, names };
}

/** Σ y ⊙ r with r random, so that no gradient is hidden by symmetry. */
function weighted(t: Tape, y: Value, { random }: { random: (shape: readonly number[]) => Float32Array }): Value {
  const g = t.graph;
  const shape = y.shape.map(Number);
  const factors = g.constant(random(shape), shape);
  const axes = shape.map((_, i) => i);
  const product = emit.mul(g, y, factors);
  const sum = emit.reshape(g, emit.reduce(g, 'ReduceSum', product, axes), []);
  return t.record(sum, [y], (dy) => [emit.mul(g, factors, dy)]);
}
