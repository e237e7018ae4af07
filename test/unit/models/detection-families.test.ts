import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detection } from '../../../src/domain/kinds/detection.ts';
import type { Box, DataSet } from '../../../src/domain/task.ts';
import type { TrainingResult, TrainingSpec } from '../../../src/domain/training.ts';
import { answerAll } from '../../../src/engine/evaluate.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { Trainer } from '../../../src/engine/trainer.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { exportModel } from '../../../src/graph/inference-graph.ts';
import { familiesFor, isNetwork } from '../../../src/models/registry.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { watched } from './sentences.ts';

/** PNG files of grey noise with one or two plain rectangles of different colours: red ones and blue ones. */
async function randomScenes(rows: number, seed = 3): Promise<DataSet> {
  const rng = createRng(seed);
  const [width, height] = [90, 70];
  const labels = Array.from({ length: rows }, () => Array.from({ length: 1 + rng.below(2) }, (_, i) => shelfBox(i)));
  function shelfBox(place: number): Box {
    const [w, h] = [18 + rng.below(20), 20 + rng.below(35)];
    return { label: rng.below(2), x: place * 45 + rng.below(44 - w), y: rng.below(height - h), w, h };
  }
  const inputs = await Promise.all(
    labels.map((boxes) => {
      const pixels = Uint8Array.from({ length: width * height * 3 }, () => 100 + rng.below(56));
      for (const box of boxes) paint(pixels, width, box);
      return sharp(pixels, { raw: { width, height, channels: 3 } })
        .png()
        .toBuffer();
    }),
  );
  const examples = { inputs, labels };
  return { classes: ['blue', 'red'], train: examples, valid: examples };
}

function paint(pixels: Uint8Array, width: number, { label, x, y, w, h }: Box): void {
  const colour = label === 1 ? [230, 40, 40] : [40, 40, 230];
  for (let row = y; row < y + h; row++) {
    for (let column = x; column < x + w; column++) pixels.set(colour, (row * width + column) * 3);
  }
}

const small = { side: 64, width: 16, batch: 4, zoom: 0, aspect: 0, colour: 0, mosaic: 0, flip: false };
const specOf = (family: string, knobs: TrainingSpec['knobs'], data: DataSet): TrainingSpec => ({
  task: 'object_detection',
  family,
  knobs: { ...small, ...knobs },
  seed: 11,
  threads: 1,
  data,
});

let data: DataSet;
beforeAll(async () => {
  data = await randomScenes(8);
});
afterAll(releaseIdleSessions);

describe.each(
  familiesFor('object_detection')
    .filter(isNetwork)
    .map((family) => [family.name, family] as const),
)('%s', (name, family) => {
  const learning = watched();
  let learned: TrainingResult;
  beforeAll(async () => {
    learned = await trainTrial(specOf(name, { epochs: 3, learning_rate: 5e-3 }, data), learning);
  }, 120_000);

  it('memorises the objects of a few images', () => {
    expect(learned.score).toBeGreaterThanOrEqual(0.95);
    expect(learned.predictions).toHaveLength(0);
    expect(learning.reports.at(-1)?.metrics).toHaveProperty('ap75');
  });

  it('resumed from a checkpoint gives bit-identical weights, augmentation included', async () => {
    const lively = { zoom: 0.5, aspect: 0.2, colour: 0.3, mosaic: 0.3, flip: true };
    const spec = specOf(name, { epochs: 1, batch: 2, ...lively }, await randomScenes(6));
    const undisturbed = watched();
    const whole = await trainTrial(spec, undisturbed);
    expect(undisturbed.checkpoints).toHaveLength(9);
    const resumed = await trainTrial(spec, watched(undisturbed.checkpoints[6]));
    expect(Buffer.compare(resumed.model.onnx, whole.model.onnx)).toBe(0);
  });

  it('answers from the exported file in pixels of the source, the same alone as in a batch', async () => {
    const { model, score } = learned;
    const rows = await createEncoder(model.features).prepare(data.valid.inputs);
    const together = await answerAll(model.onnx, rows, 1);
    expect(together.shape[0]).toBe(data.valid.inputs.length);
    expect(together.shape[2]).toBe(6);
    expect(detection.score(together, data.valid.labels, { classes: data.classes }).score).toBe(score);
    const one = await createEncoder(model.features).prepare(data.valid.inputs.slice(0, 1));
    const alone = (await answerAll(model.onnx, one, 1)).data;
    alone.forEach((value, i) => {
      expect(Number(value)).toBeCloseTo(Number(together.data[i]), 2);
    });
  });

  it('finds the same in an image and its mirror image with mirror_answers', async () => {
    const side = 64;
    const knobs = { ...family.space('object_detection').initial(), ...small, flip: true, mirror_answers: true };
    const features = await family.fit({ ...data.train, classes: data.classes }, knobs);
    const network = family.network(features, knobs);
    const trainer = await Trainer.create({ network, optimiser: 'adamw', batch: 2, threads: 1, seed: 5 });
    const onnx = exportModel(network, trainer.weights());
    const pixels = Uint8Array.from({ length: 3 * side * side }, (_, i) => (7 * i + i * i) % 251);
    const mirrored = pixels.map((_, i) => pixels[i - (i % side) + side - 1 - (i % side)] ?? 0);
    const found = async (image: Uint8Array): Promise<number[][]> => {
      const batch = () => ({
        image: { dtype: 'uint8' as const, shape: [1, 3, side, side], data: image },
        frame: { dtype: 'float32' as const, shape: [1, 2], data: Float32Array.of(side, side) },
      });
      const { data: numbers } = await answerAll(onnx, { count: 1, batch }, 1);
      const rows = Array.from({ length: numbers.length / 6 }, (_, i) =>
        Array.from(numbers.slice(6 * i, 6 * i + 6), Number),
      );
      return rows.filter(([, score = 0]) => score > 0);
    };
    const [own, other] = [await found(pixels), await found(mirrored)];
    expect(own.length).toBeGreaterThan(0);
    const back = other.map(([label = 0, score = 0, x = 0, y = 0, w = 0, h = 0]) => [
      label,
      score,
      side - x - w,
      y,
      w,
      h,
    ]);
    back.forEach((row, i) => {
      row.forEach((value, column) => {
        expect(value).toBeCloseTo(own[i]?.[column] ?? Number.NaN, 2);
      });
    });
    await trainer.release();
  });

  it('has knobs of each of the paper’s groups, and initial values inside their domains', () => {
    const groups = new Set<string>();
    for (const { group, initial, domain } of family.space('object_detection').knobs()) {
      groups.add(group);
      if (domain.kind === 'categorical') expect(domain.list).toContain(initial);
      else expect(Number(initial) >= domain.min && Number(initial) <= domain.max).toBe(true);
    }
    expect([...groups].sort()).toEqual(['architecture', 'preprocessing', 'training']);
  });
});
