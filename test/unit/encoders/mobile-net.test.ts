import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel, model as modelOf } from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { expect, it } from 'vitest';
import { bundledData } from '../../../src/cli/encoders/bundled-data.ts';
import { packageEncoder } from '../../../src/cli/encoders/package-encoder.ts';
import { convertLayers } from '../../../src/encoders/tfjs/convert-layers.ts';
import { readLayersModel } from '../../../src/encoders/tfjs/layers-json.ts';
import { Embedder } from '../../../src/encoders/embedder.ts';
import { createSession } from '../../../src/engine/session.ts';
import { sampleImage } from '../../../src/features/images.ts';
import { createEncoder } from '../../../src/features/registry.ts';

const folder = path.resolve('encoders/nsfwjs');
const isThere = existsSync(folder);
if (!isThere) console.log(`${folder} is not there (npm run setup:encoders): the test with real weights is skipped`);

const script = (name: string): unknown => {
  const file = path.join(folder, 'dist/models/mobilenet_v2', `${name}.min.js`);
  return bundledData(readFileSync(file, 'utf8'), file);
};

it.skipIf(!isThere)('MobileNetV2 answers as in TensorFlow.js', { timeout: 120_000 }, async () => {
  const json = script('model') as { modelTopology: object; weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[] };
  const bytes = Buffer.from(script('group1-shard1of1') as string, 'base64');
  await tf.setBackend('cpu');
  const weightSpecs = json.weightsManifest[0]!.weights;
  const theirs = await loadLayersModel({
    load: async () => ({ modelTopology: json.modelTopology, weightSpecs, weightData: new Uint8Array(bytes).buffer }),
  });

  const { model, input } = await packageEncoder(folder, { side: 96 });
  expect(input).toBe('image');
  const files = await Promise.all([{ width: 32, height: 32 }, { width: 200, height: 150 }].map(sampleImage));
  const embedder = await Embedder.load(model, { threads: 1 });
  const ours = await embedder.embed(files);
  await embedder.release();
  const { input0 } = await createEncoder(model.features).encode(files);
  const pixels = tf.tensor(input0!.data as Float32Array, [2, 3, 96, 96]).transpose([0, 2, 3, 1]);
  // its input says 224 pixels, which its layers do not need
  let features: tf.Tensor = pixels;
  const cut = modelOf({ inputs: theirs.inputs, outputs: theirs.getLayer('out_relu').output as never });
  const large = tf.image.resizeBilinear(pixels as tf.Tensor4D, [224, 224]);
  features = cut.predict(large) as tf.Tensor;
  const expected = await features.mean([1, 2]).data();
  const channelsFirst = (await large.transpose([0, 3, 1, 2]).data()) as Float32Array;
  const session = await createSession(model.onnx, 1);
  const [found] = Object.values(
    await session.run({ input0: { dtype: 'float32', shape: [2, 3, 224, 224], data: channelsFirst } }),
  );
  await session.release();
  expect(found?.shape).toEqual([2, 1280]);
  for (const [i, value] of Array.from(found?.data ?? [], Number).entries())
    expect(Math.abs(value - Number(expected[i]))).toBeLessThan(1e-4);
  expect(ours).toHaveLength(2 * 1280);

  // the whole model, with what the package was trained for
  const whole = await createSession(convertLayers(readLayersModel(json, bytes)), 1);
  const last = (await large.data()) as Float32Array;
  const [answer] = Object.values(
    await whole.run({ input0: { dtype: 'float32', shape: [2, 224, 224, 3], data: last } }),
  );
  await whole.release();
  const classes = await (theirs.predict(large) as tf.Tensor).data();
  for (const [i, value] of Array.from(answer?.data ?? [], Number).entries())
    expect(Math.abs(value - Number(classes[i]))).toBeLessThan(1e-4);
});
