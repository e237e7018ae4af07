import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { model as layersModel, loadLayersModel, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { beforeAll, expect, it } from 'vitest';
import { bundledData } from '../../../src/cli/encoders/bundled-data.ts';
import { tfjsImageEncoder } from '../../../src/cli/encoders/image-encoder.ts';
import { packageEncoder } from '../../../src/cli/encoders/package-encoder.ts';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { Embedder } from '../../../src/encoders/embedder.ts';
import { convertGraph } from '../../../src/encoders/tfjs/convert-graph.ts';
import { convertLayers } from '../../../src/encoders/tfjs/convert-layers.ts';
import { readLayersModel } from '../../../src/encoders/tfjs/layers-json.ts';
import { readGraphModel } from '../../../src/encoders/tfjs/model-json.ts';
import { createSession } from '../../../src/engine/session.ts';
import { sampleImage } from '../../../src/features/images.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { knownVectors } from './known-vectors.ts';

const folder = path.resolve('encoders/nsfwjs');
const isThere = existsSync(folder);
if (!isThere) console.log(`${folder} is not there (npm run setup:encoders): the tests with real weights are skipped`);

interface BundledModel {
  modelTopology: object;
  weightsManifest: { paths: string[]; weights: tf.io.WeightsManifestEntry[] }[];
}

/** A model of the package, as its scripts have it. */
function bundled(model: string) {
  const script = (name: string): unknown => {
    const file = path.join(folder, 'dist/models', model, `${name}.min.js`);
    return bundledData(readFileSync(file, 'utf8'), file);
  };
  const json = script('model') as BundledModel;
  const [{ paths, weights }] = json.weightsManifest as [BundledModel['weightsManifest'][number]];
  const bytes = Buffer.concat(paths.map((name) => Buffer.from(script(name) as string, 'base64')));
  const load = async () => ({
    ...{ modelTopology: json.modelTopology, weightSpecs: weights },
    weightData: new Uint8Array(bytes).buffer,
  });
  return { json, bytes, load };
}

async function answerOf(onnx: Uint8Array, name: string, pixels: tf.Tensor): Promise<TensorData> {
  const session = await createSession(onnx, 1);
  const data = (await pixels.data()) as Float32Array;
  const [answer] = Object.values(await session.run({ [name]: { dtype: 'float32', shape: pixels.shape, data } }));
  await session.release();
  return answer as TensorData;
}

async function expectNear(ours: TensorData, theirs: tf.Tensor): Promise<void> {
  expect(ours.shape).toEqual(theirs.shape);
  const expected = await theirs.data();
  for (const [i, value] of Array.from(ours.data, Number).entries())
    expect(Math.abs(value - Number(expected[i]))).toBeLessThan(1e-4);
}

/** As the package sees images: [1, 224, 224, 3]. */
let pixels: tf.Tensor4D;
beforeAll(async () => {
  await tf.setBackend('cpu');
  const values = Float32Array.from({ length: 24 * 24 * 3 }, (_, i) => (1 + Math.sin(i * 0.37) + Math.cos(i / 50)) / 3);
  pixels = tf.image.resizeBilinear(tf.tensor4d(values, [1, 24, 24, 3]), [224, 224]);
});

it.skipIf(!isThere)(
  'a layers model with weights in 8 bits answers as in TensorFlow.js',
  { timeout: 300_000 },
  async () => {
    const { json, bytes, load } = bundled('mobilenet_v2');
    const theirs = (await loadLayersModel({ load })).predict(pixels) as tf.Tensor;
    const model = readLayersModel(json, bytes);
    await expectNear(await answerOf(convertLayers(model), 'input0', pixels), theirs);
  },
);

it.skipIf(!isThere)('a layers model of a folder becomes an encoder', { timeout: 300_000 }, async () => {
  const { json, bytes, load } = bundled('mobilenet_v2');
  const dir = await mkdtemp(path.join(tmpdir(), 'rafiki-mobile-net-'));
  const [tfjs, preprocessor] = [path.join(dir, 'model.json'), path.join(dir, 'preprocessor_config.json')];
  const [{ weights }] = json.weightsManifest as [BundledModel['weightsManifest'][number]];
  await writeFile(tfjs, JSON.stringify({ ...json, weightsManifest: [{ paths: ['all'], weights }] }));
  await writeFile(path.join(dir, 'all'), bytes);
  await writeFile(preprocessor, JSON.stringify({ do_normalize: false, size: 224 }));
  const { model } = await tfjsImageEncoder({ tfjs, preprocessor, layers: 'out_relu' });
  await rm(dir, { recursive: true });
  const files = [await sampleImage()];
  const { vectors } = await knownVectors(model, files);
  const { input0 } = await createEncoder(model.features).encode(files);
  const fed = tf.tensor(input0?.data as Float32Array, [1, 3, 224, 224]).transpose([0, 2, 3, 1]);
  const whole = await loadLayersModel({ load });
  const [input, last] = [whole.inputs, whole.layers.find(({ name }) => name === 'out_relu')?.output];
  const cut = layersModel({ inputs: input, outputs: last as SymbolicTensor });
  const expected = await (cut.predict(fed) as tf.Tensor).mean([1, 2]).data();
  expect(vectors).toHaveLength(1280);
  for (const [i, value] of vectors.entries()) expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-4);
});

it.skipIf(!isThere)('a graph model with fused ops answers as in TensorFlow.js', { timeout: 300_000 }, async () => {
  const { json, bytes, load } = bundled('mobilenet_v2_mid');
  const theirs = await loadGraphModel({ load });
  const graph = readGraphModel(json, bytes);
  await expectNear(await answerOf(convertGraph(graph), 'input', pixels), theirs.predict(pixels) as tf.Tensor);
  const node = graph.nodes.find(({ name }) => name.endsWith('expanded_conv_5/depthwise/depthwise'))?.name ?? '';
  const features = theirs.execute(pixels, node) as tf.Tensor;
  const channelsFirst = pixels.transpose([0, 3, 1, 2]);
  await expectNear(
    await answerOf(convertGraph(graph, { vectorsOf: [node] }), 'input', channelsFirst),
    features.mean([1, 2]),
  );
});

it.skipIf(!isThere)('the encoder reads images of any size, and gives vectors of its layers', async () => {
  const { model, input } = await packageEncoder(folder, { side: 64 });
  expect(input).toBe('image');
  const files = await Promise.all(
    [
      { width: 32, height: 32 },
      { width: 200, height: 150 },
      { width: 1, height: 9 },
    ].map(sampleImage),
  );
  const embedder = await Embedder.load(model, { threads: 1 });
  const vectors = await embedder.embed(files);
  await embedder.release();
  expect(vectors).toHaveLength(3 * 1632);
  const { input: encoded } = await createEncoder(model.features).encode(files);
  expect(encoded?.shape).toEqual([3, 3, 64, 64]);
  expect(Math.max(...Array.from(encoded?.data ?? [], Number))).toBeLessThanOrEqual(1);
});
