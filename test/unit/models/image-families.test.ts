import { afterAll, describe, expect, it } from 'vitest';
import { classification } from '../../../src/domain/kinds/classification.ts';
import { floats } from '../../../src/domain/kinds/kind.ts';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { answerAll } from '../../../src/engine/evaluate.ts';
import type { TrainingStep } from '../../../src/engine/feeds.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { Trainer } from '../../../src/engine/trainer.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { exportModel } from '../../../src/graph/inference-graph.ts';
import type { Network } from '../../../src/graph/network.ts';
import { familiesFor, isNetwork } from '../../../src/models/registry.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { hasRealImages } from '../../support/real-images.ts';
import { pictureSpec, randomPictures, realPictures, shallow } from './pictures.ts';
import { watched } from './sentences.ts';

const classes = ['a', 'b', 'c', 'd'];
const settings = { momentum: 0, weightDecay: 0, dropout: 0 };

const randomBytes = (length: number, rng = createRng(length)): Uint8Array =>
  Uint8Array.from({ length }, () => rng.below(256));

const imagesOf = (data: Uint8Array, side: number): TensorData => ({
  dtype: 'uint8',
  shape: [data.length / (3 * side * side), 3, side, side],
  data,
});

/** A batch of random images with random labels. */
function randomStep({ rows, side }: { rows: number; side: number }): TrainingStep {
  const rng = createRng(rows * side);
  const truth = new Float32Array(rows * classes.length);
  for (let row = 0; row < rows; row++) truth[row * classes.length + rng.below(classes.length)] = 1;
  return {
    inputs: { image: imagesOf(randomBytes(rows * 3 * side * side), side) },
    targets: { truth: { dtype: 'float32', shape: [rows, classes.length], data: truth } },
    learningRate: 0,
  };
}

const startTrainer = (network: Network, batch: number): Promise<Trainer> =>
  Trainer.create({ network, optimiser: 'nesterov', batch, threads: 1, seed: 4 });

/** What the exported model answers to a step's rows, and the mean of −log of what it gives the right classes. */
async function answersOf(network: Network, trainer: Trainer, { inputs, targets }: TrainingStep) {
  const onnx = exportModel(network, trainer.weights());
  const rows = inputs['image']?.shape[0] ?? 0;
  const answers = await answerAll(onnx, { count: rows, batch: () => inputs }, 1);
  const truth = floats(targets['truth'] ?? answers);
  const sum = floats(answers).reduce((total, p, i) => total - (truth[i] ?? 0) * Math.log(p), 0);
  return { shape: answers.shape, loss: sum / rows };
}

afterAll(releaseIdleSessions);

describe.each(
  familiesFor('image_classification')
    .filter(isNetwork)
    .map((family) => [family.name, family] as const),
)('%s', (name, family) => {
  const networkOf = (side: number, mirrored = false): Network => {
    const state = { side, mean: [128, 128, 128], deviation: [74, 74, 74] };
    const small = {
      ...family.space('image_classification').initial(),
      width: 16,
      ...shallow,
      mirror_answers: mirrored,
    };
    return family.network({ encoder: 'pixels', classes, state }, small);
  };

  it.skipIf(!hasRealImages)('memorises 64 photographs', async () => {
    const hooks = watched();
    const knobs = { whitening: 'zca', epochs: 3, learning_rate: 0.05 };
    await trainTrial(pictureSpec(name, knobs, realPictures(64, 5)), hooks);
    expect(hooks.reports.at(-1)?.score).toBeGreaterThanOrEqual(0.99);
  });

  it('resumed from a checkpoint gives bit-identical weights, running averages included', async () => {
    const augmented = { rotation: 10, colour: 0.2, shift: 2, flip: true, cutout: 4, dropout: 0.2 };
    const knobs = { ...augmented, epochs: 2, batch: 4, learning_rate: 0.02 };
    const spec = pictureSpec(name, knobs, await randomPictures(24)); // 24 steps: two epochs of three runs
    const undisturbed = watched();
    const whole = await trainTrial(spec, undisturbed);
    expect(undisturbed.checkpoints).toHaveLength(6);
    for (const checkpoint of undisturbed.checkpoints.slice(1, 3)) {
      const resumed = await trainTrial(spec, watched(checkpoint));
      expect(Buffer.compare(resumed.model.onnx, whole.model.onnx)).toBe(0);
      expect(resumed.predictions).toEqual(whole.predictions);
    }
  });

  it('answers from the exported file as validation did, whatever shares the batch', async () => {
    const data = await randomPictures(64);
    const { model, predictions } = await trainTrial(pictureSpec(name, { epochs: 1 }, data), watched());
    const rows = await createEncoder(model.features).prepare(data.valid.inputs.slice(0, 3));
    const few = classification.ballots(await answerAll(model.onnx, rows, 1));
    expect(few).toEqual(predictions.subarray(0, 3));
  });

  it('computes the same when exported as in training, once the running averages are those of the batch', async () => {
    const network = networkOf(16);
    const trainer = await startTrainer(network, 16);
    const step = randomStep({ rows: 16, side: 16 });
    const losses = await trainer.run(new Array<TrainingStep>(50).fill(step), settings); // nothing moves: the rate is 0
    const { loss } = await answersOf(network, trainer, step);
    await trainer.release();
    expect(Math.abs(loss - Number(losses.at(-1)))).toBeLessThan(0.02 * loss); // averages hold the unbiased variance
  });

  it('predicts the same for an image and its mirror image with mirror_answers', async () => {
    const network = networkOf(16, true);
    const trainer = await startTrainer(network, 2);
    const data = randomBytes(3 * 3 * 16 * 16);
    const mirrored = data.map((_, i) => data[i - (i % 16) + 15 - (i % 16)] ?? 0);
    const onnx = exportModel(network, trainer.weights());
    const answers = (images: Uint8Array) =>
      answerAll(onnx, { count: 3, batch: () => ({ image: imagesOf(images, 16) }) }, 1);
    const [own, other] = [floats(await answers(data)), floats(await answers(mirrored))];
    expect(Math.max(...own.map((p, i) => Math.abs(p - (other[i] ?? 0))))).toBeLessThan(1e-5);
    await trainer.release();
  });

  it.each([32, 64, 96, 224])('trains and answers on images of side %i', async (side) => {
    const network = networkOf(side);
    const trainer = await startTrainer(network, 2);
    const step = randomStep({ rows: 2, side });
    const [loss] = await trainer.run([step], settings);
    expect(loss).toBeGreaterThan(0);
    expect((await answersOf(network, trainer, step)).shape).toEqual([2, classes.length]);
    await trainer.release();
  });

  it('has knobs of each of the paper’s groups, and initial values inside their domains', () => {
    const groups = new Set<string>();
    for (const { group, initial, domain } of family.space('image_classification').knobs()) {
      groups.add(group);
      if (domain.kind === 'categorical') expect(domain.list).toContain(initial);
      else expect(Number(initial) >= domain.min && Number(initial) <= domain.max).toBe(true);
    }
    expect([...groups].sort()).toEqual(['architecture', 'preprocessing', 'training']);
  });

  it('refuses texts', async () => {
    const texts = { inputs: ['a', 'b'], labels: Int32Array.of(0, 1) };
    const spec = pictureSpec(name, {}, { classes: ['x', 'y'], train: texts, valid: texts });
    await expect(trainTrial(spec, watched())).rejects.toMatchObject({ hint: expect.stringContaining('bytea') });
  });
});
