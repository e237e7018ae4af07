import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classification } from '../../../src/domain/kinds/classification.ts';
import type { PretrainedParts, TrainingSpec } from '../../../src/domain/training.ts';
import { embedData } from '../../../src/encoders/embedded-data.ts';
import { whiteningOf } from '../../../src/encoders/head/cholesky.ts';
import { fitMap, mapRows } from '../../../src/encoders/head/fit-map.ts';
import { HeadTrainer } from '../../../src/encoders/head/head-trainer.ts';
import { vectorRows } from '../../../src/encoders/pretrained-rows.ts';
import { answerAll } from '../../../src/engine/evaluate.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { memorable, specOf, watched } from '../models/sentences.ts';
import { tinyEncoderFile } from './tiny-encoder.ts';

afterAll(releaseIdleSessions);

describe('the family "encoder"', () => {
  let pretrained: PretrainedParts;
  beforeAll(async () => {
    pretrained = { name: 'tiny', paramsId: 7, ...(await tinyEncoderFile()) };
  });
  const on = (knobs: TrainingSpec['knobs'], data = memorable()): TrainingSpec => ({
    ...specOf('encoder', { l2: 0.001, ...knobs }, data),
    pretrained,
  });

  it.each(['rbf', 'polynomial'])('memorises 64 rows with the kernel %s', async (kernel) => {
    const { score, state, model } = await trainTrial(
      on({ kernel, gamma: 10, epochs: 30, normalisation: 'standard' }),
      watched(),
    );
    expect(score).toBeGreaterThanOrEqual(0.98);
    expect(state).toBe('completed');
    expect(model.features).toMatchObject({ encoder: 'pretrained', pretrained: { name: 'tiny', paramsId: 7 } });
  });

  it('resumed from any checkpoint gives bit-identical weights', async () => {
    const spec = on({ epochs: 2 });
    const undisturbed = watched();
    const whole = await trainTrial(spec, undisturbed);
    for (const checkpoint of undisturbed.checkpoints.filter((_, i) => i % 7 === 3)) {
      const resumed = await trainTrial(spec, watched(checkpoint));
      expect(Buffer.compare(resumed.model.onnx, whole.model.onnx)).toBe(0);
      expect(resumed.score).toBe(whole.score);
    }
  });

  it('answers from the exported file as validation did', async () => {
    const spec = on({ epochs: 2, kernel: 'linear' });
    const { model, predictions } = await trainTrial(spec, watched());
    const { inputs } = spec.data.valid;
    const rows = vectorRows(await embedData(inputs, { ...pretrained, threads: 1 }), inputs.length);
    expect(classification.ballots(await answerAll(model.onnx, rows, 1))).toEqual(predictions);
  });

  it('learns numbers', async () => {
    const data = memorable();
    const labels = Float64Array.from(data.train.inputs, (input) => 1000 + String(input).length);
    const examples = { inputs: data.train.inputs, labels };
    const spec = {
      ...on({ epochs: 20, gamma: 10 }),
      task: 'text_regression' as const,
      data: { classes: [], train: examples, valid: examples },
    };
    expect((await trainTrial(spec, watched())).score).toBeGreaterThan(0.9);
  });

  it('says what is missing without an encoder', async () => {
    await expect(trainTrial(specOf('encoder', {}), watched())).rejects.toMatchObject({ sqlstate: '55000' });
  });
});

describe('a head', () => {
  /** Rows of two classes whose border is a circle. */
  function circle(rows: number): { data: Float32Array; targets: Float32Array } {
    const rng = createRng(2);
    const data = Float32Array.from({ length: 2 * rows }, () => rng.normal());
    const targets = new Float32Array(2 * rows);
    for (let row = 0; row < rows; row++)
      targets[2 * row + Number(Math.hypot(data[2 * row]!, data[2 * row + 1]!) > 1.1)] = 1;
    return { data, targets };
  }

  it('ends at a point where the gradient of the penalised loss is zero, by finite differences of the exported file', async () => {
    const rows = 80;
    const { data, targets } = circle(rows);
    const settings = { kernel: 'linear' as const, gamma: 1, degree: 2, landmarks: 64, normalisation: 'none' as const };
    const task = { vectors: { data, rows, width: 2 }, targets, weights: new Float32Array(rows).fill(1), outputs: 2 };
    const trainer = await HeadTrainer.create({ ...task, unit: undefined, settings, l2: 2, seed: 1, threads: 1 });
    for (let i = 0; i < 60; i++) await trainer.iterate();
    const { w, b } = trainer.weights;
    const loss = async (weights: Float32Array): Promise<number> => {
      const { data: p } = await trainer.answers({ w: weights, b }, vectorRows(data, rows));
      const logs = targets.reduce((sum, target, i) => sum - (target > 0 ? Math.log(Number(p[i])) : 0), 0);
      return logs + weights.reduce((sum, value) => sum + value * value, 0);
    };
    for (let i = 0; i < w.length; i++) {
      const moved = (by: number): Float32Array => w.map((value, k) => (k === i ? value + by : value));
      const slope = ((await loss(moved(0.02))) - (await loss(moved(-0.02)))) / 0.04;
      expect(Math.abs(slope)).toBeLessThan(0.05);
    }
    await trainer.release();
  });

  it('finds a round border with a kernel, and not without one', async () => {
    const rows = 300;
    const { data, targets } = circle(rows);
    const right = async (kernel: 'linear' | 'rbf' | 'polynomial'): Promise<number> => {
      const settings = { kernel, gamma: 2, degree: 2, landmarks: 100, normalisation: 'none' as const };
      const task = { vectors: { data, rows, width: 2 }, targets, weights: new Float32Array(rows).fill(1), outputs: 2 };
      const trainer = await HeadTrainer.create({ ...task, unit: undefined, settings, l2: 0.01, seed: 1, threads: 1 });
      for (let i = 0; i < 60; i++) await trainer.iterate();
      const { data: p } = await trainer.answers(trainer.weights, vectorRows(data, rows));
      await trainer.release();
      return targets.reduce((sum, target, i) => sum + Number(target > 0 && Number(p[i]) > 0.5), 0) / rows;
    };
    expect(await right('rbf')).toBeGreaterThan(0.95);
    expect(await right('polynomial')).toBeGreaterThan(0.95);
    expect(await right('linear')).toBeLessThan(0.75);
  });

  it.each(['unit', 'standard', 'none'] as const)(
    'whose kernel is a polynomial has features of length 1 on average, of short and of long vectors, with the normalisation %s',
    async (normalisation) => {
      const [rows, width] = [60, 3];
      const rng = createRng(4);
      const numbers = Float32Array.from({ length: rows * width }, () => rng.normal());
      const settings = { kernel: 'polynomial' as const, gamma: 1, degree: 2, landmarks: rows, normalisation };
      for (const length of [0.01, 1, 30]) {
        const vectors = { data: numbers.map((number) => number * length), rows, width };
        const map = await fitMap(vectors, settings, { rng: createRng(5), threads: 1 });
        const features = await mapRows(map, vectors, 1);
        const square = features.reduce((sum, number) => sum + number * number, 0) / rows;
        expect(square).toBeGreaterThan(0.8);
        expect(square).toBeLessThan(1.5); // (|x|² / s + 1)² / 4 is more than 1 where lengths differ
      }
    },
  );

  it('whitens: Tᵀ·M·T is the unit matrix', () => {
    const n = 12;
    const rng = createRng(3);
    const root = Float64Array.from({ length: n * n }, () => rng.normal());
    const matrix = new Float32Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) matrix[i * n + j]! += root[i * n + k]! * root[j * n + k]!;
    const t = whiteningOf(matrix, n, 0.01);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let a = 0; a < n; a++)
          for (let c = 0; c < n; c++)
            sum += t[a * n + i]! * (matrix[a * n + c]! + (a === c ? 0.01 : 0)) * t[c * n + j]!;
        expect(sum).toBeCloseTo(i === j ? 1 : 0, 3);
      }
  });
});
