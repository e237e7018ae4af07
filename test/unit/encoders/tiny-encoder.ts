import { createHash } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Packr } from 'msgpackr';
import type { ModelFile, TrainedModel } from '../../../src/domain/training.ts';
import { OnnxWriter } from '../../../src/encoders/tfjs/onnx-writer.ts';
import { type Preprocessing, preprocessingState } from '../../../src/features/pretrained/preprocessing.ts';
import { DiskCache } from '../../../src/runtime/disk/disk-cache.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const tinyWidth = 48;
const characters = 96;

/** A text encoder of random weights: a layer with tanh on the mean of vectors of characters and of pairs, whose numbers are pieces. */
export function tinyEncoder(seed = 5): TrainedModel {
  const letters = Array.from({ length: characters }, (_, i): [string, number] => [String.fromCharCode(32 + i), -3]);
  const pairs = ['al', 'be', 'ga', 'de', 'ep', 'ze', 'et', 'th', 'io', 'ka', 'ro', 'w1', 'w2', 'w3'];
  const pieces = [['<unk>', 0], ['▁', -3], ...letters, ...pairs.map((pair): [string, number] => [pair, -2])];
  const rng = createRng(seed);
  const write = new OnnxWriter();
  const ids = write.input('ids', ['N', 'T'], 'int');
  const table = Float32Array.from({ length: (pieces.length + 1) * tinyWidth }, () => rng.normal());
  table.fill(0, 0, tinyWidth);
  const vectors = write.node('Gather', [write.constant(table, [pieces.length + 1, tinyWidth], 'float'), ids], {
    kind: 'float',
  });
  const sums = write.node('ReduceSum', [vectors, write.ints([1])], { attributes: { keepdims: 0 } });
  const given = write.cast(write.node('Greater', [ids, write.constant([0], [], 'int')], { kind: 'bool' }), 'float');
  const counts = write.node('ReduceSum', [given, write.ints([1])], { attributes: { keepdims: 1 } });
  const mixed = Float32Array.from({ length: tinyWidth ** 2 }, () => rng.normal() / Math.sqrt(tinyWidth));
  const mean = write.node('Div', [sums, counts]);
  const layer = write.node('MatMul', [mean, write.constant(mixed, [tinyWidth, tinyWidth], 'float')]);
  write.output(write.node('Tanh', [layer]), 'vectors', ['N', tinyWidth]);
  return {
    onnx: write.encode('tiny'),
    features: { encoder: 'pieces', state: { pieces, maxTokens: 64, reserved: 1 }, classes: [] },
  };
}

/** An image encoder of random weights: tanh of mixed colours of 8 × 8 pixels. */
export function tinyImageEncoder(seed = 7): TrainedModel {
  const rng = createRng(seed);
  const write = new OnnxWriter();
  const image = write.input('pixels', ['N', 3, 8, 8], 'float');
  const pixels = write.node('Reshape', [image, write.ints([0, -1])]);
  const weights = Float32Array.from({ length: 192 * tinyWidth }, () => rng.normal() / 8);
  const mixed = write.node('MatMul', [pixels, write.constant(weights, [192, tinyWidth], 'float')]);
  write.output(write.node('Tanh', [mixed]), 'vectors', ['N', tinyWidth]);
  const preprocessing: Preprocessing = {
    ...{ resize: { kind: 'stretched', width: 8, height: 8 }, crop: null, resampling: 'linear', input: 'pixels' },
    ...{ scale: [1 / 128, 1 / 128, 1 / 128], offset: [-1, -1, -1] },
  };
  return {
    onnx: write.encode('tiny'),
    features: { encoder: 'preprocessed', state: preprocessingState(preprocessing), classes: [] },
  };
}

/** The same as a file on disk, as workers and servers have it. */
export async function tinyEncoderFile(model = tinyEncoder()): Promise<{ file: ModelFile; cacheDir: string }> {
  const dir = await mkdtemp(path.join(tmpdir(), 'rafiki-tiny-encoder-'));
  const data = new Packr({ moreTypes: true }).pack([model.features, model.onnx]);
  const name = createHash('sha256').update(data).digest('hex');
  const models = path.join(dir, 'models');
  await new DiskCache({ dir: models, maxBytes: 2 ** 26 }).set(name, data);
  return { file: { dir: models, name, bytes: data.length }, cacheDir: path.join(dir, 'vectors') };
}
