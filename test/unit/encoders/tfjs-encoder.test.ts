import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tfjsImageEncoder } from '../../../src/cli/encoders/image-encoder.ts';
import { sampleImage } from '../../../src/features/images.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { knownVectors } from './known-vectors.ts';
import { stored } from './stored-layers.ts';

const l = layers.layers;
const side = 12;
const preprocessor = { do_normalize: false, size: { height: side, width: side } };

let dir: string;
beforeAll(async () => {
  await tf.setBackend('cpu');
  dir = await mkdtemp(path.join(tmpdir(), 'rafiki-tfjs-encoder-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A network with a class for each answer, in the files that TensorFlow.js writes. */
async function files(): Promise<{ model: layers.Sequential; tfjs: string; preprocessor: string }> {
  const model = layers.sequential({
    layers: [
      l.conv2d({ filters: 6, kernelSize: 3, strides: 2, inputShape: [side, side, 3], activation: 'relu' }),
      l.globalAveragePooling2d({ name: 'features' }),
      l.dense({ units: 2, activation: 'softmax' }),
    ],
  });
  const { json, bytes } = await stored(model);
  await writeFile(path.join(dir, 'model.json'), JSON.stringify(json));
  await writeFile(path.join(dir, 'w'), bytes);
  await writeFile(path.join(dir, 'p.json'), JSON.stringify(preprocessor));
  return { model, tfjs: path.join(dir, 'model.json'), preprocessor: path.join(dir, 'p.json') };
}

it.each([
  ['its answer', undefined, [0, 2]],
  ['a layer', 'features', [1]],
  ['images of a layer, averaged, and another layer', 'conv2d, features', [1, 1]],
] as const)('a layers model is an encoder of images: %s is the vector', async (_, named, places) => {
  const { model, ...given } = await files();
  const layersOf = named?.replace('conv2d', model.layers[0]?.name ?? '');
  const source = await tfjsImageEncoder({ ...given, layers: layersOf });
  expect(source).toMatchObject({ input: 'image', source: 'file model.json' });
  const inputs = await Promise.all([sampleImage(), sampleImage({ width: 40, height: 20 })]);
  const { vectors } = await knownVectors(source.model, inputs);
  const { input0 } = await createEncoder(source.model.features).encode(inputs);
  const pixels = tf.tensor(input0?.data as Float32Array, [2, 3, side, side]).transpose([0, 2, 3, 1]);
  const means = model.layers[1]?.apply(model.layers[0]?.apply(pixels) as tf.Tensor) as tf.Tensor;
  const answers = places[0] === 0 ? [model.predict(pixels) as tf.Tensor] : places.map(() => means);
  const expected = await tf.concat(answers, 1).data();
  expect(vectors).toHaveLength(expected.length);
  for (const [i, value] of vectors.entries()) expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-4);
});

it('says which layer there is not, and what reads no image', async () => {
  const { tfjs, preprocessor: config } = await files();
  await expect(tfjsImageEncoder({ tfjs, preprocessor: config, layers: 'nowhere' })).rejects.toMatchObject({
    detail: expect.stringContaining('nowhere'),
  });
  const { json, bytes } = await stored(layers.sequential({ layers: [l.dense({ units: 2, inputShape: [4] })] }));
  await writeFile(path.join(dir, 'model.json'), JSON.stringify(json));
  await writeFile(path.join(dir, 'w'), bytes);
  await expect(tfjsImageEncoder({ tfjs, preprocessor: config })).rejects.toMatchObject({ sqlstate: '0A000' });
});
