import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classification } from '../../../src/domain/kinds/classification.ts';
import type { KnownEncoder, PretrainedParts, TrainingSpec } from '../../../src/domain/training.ts';
import { OnnxWriter } from '../../../src/encoders/tfjs/onnx-writer.ts';
import { obstacleOf } from '../../../src/encoders/tuned/check-trainable.ts';
import { importEncoder } from '../../../src/encoders/tuned/import-encoder.ts';
import { answerAll } from '../../../src/engine/evaluate.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { openTuned } from '../../../src/models/pretrained/open-tuned.ts';
import { ratedWeights } from '../../../src/models/pretrained/tuned-network.ts';
import { familyByName, studyFamilies } from '../../../src/models/registry.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { knownVectors } from '../encoders/known-vectors.ts';
import { tinyEncoder, tinyEncoderFile } from '../encoders/tiny-encoder.ts';
import { memorable, specOf, watched } from './sentences.ts';

afterAll(releaseIdleSessions);

let pretrained: PretrainedParts;
beforeAll(async () => {
  pretrained = { name: 'tiny', paramsId: 7, ...(await tinyEncoderFile()) };
});
const on = (knobs: TrainingSpec['knobs'], data = memorable()): TrainingSpec => ({
  ...specOf('encoder_tuned', { dropout: 0, batch: 16, ...knobs }, data),
  pretrained,
});

describe('the family "encoder_tuned"', () => {
  it('learns rows by heart that its encoder as it is does not tell apart', async () => {
    const { score, model } = await trainTrial(on({ epochs: 20, learning_rate: 0.05, l2: 10 }), watched());
    const start = await trainTrial(on({ epochs: 1, learning_rate: 1e-9, l2: 10 }), watched());
    expect(score).toBeGreaterThan(start.score + 0.1);
    expect(model.features).toMatchObject({ encoder: 'pieces', classes: ['a', 'b', 'c'] });
    expect(model.features.pretrained).toBeUndefined(); // its file is all that a server needs
  });

  it('resumed from any checkpoint gives bit-identical weights', async () => {
    const spec = on({ epochs: 2 });
    const undisturbed = watched();
    const whole = await trainTrial(spec, undisturbed);
    for (const checkpoint of undisturbed.checkpoints.filter((_, i) => i % 2 === 0)) {
      const resumed = await trainTrial(spec, watched(checkpoint));
      expect(Buffer.compare(resumed.model.onnx, whole.model.onnx)).toBe(0);
      expect(resumed.score).toBe(whole.score);
    }
  });

  it('finds no head where a checkpoint or another worker has one', async () => {
    const { cacheDir, ...parts } = { ...pretrained, ...(await tinyEncoderFile()) };
    const options = { l2: 1, replaced: true };
    const { head, headFrom } = await openTuned(on({}), { ...parts, cacheDir }, options);
    expect(head.w.every((value) => value === 0)).toBe(true);
    expect(existsSync(cacheDir)).toBe(false); // no vector was computed
    const found = await openTuned(on({}), { ...parts, cacheDir }, { ...options, replaced: false });
    expect(found.head.w).toHaveLength(head.w.length);
    expect(found.head.w.some((value) => value !== 0)).toBe(true);
    expect(found.headFrom).toBe(headFrom);
  });

  it('answers from the exported file as the trainer does, whatever shares the batch', async () => {
    const spec = on({ epochs: 1 });
    const { model, predictions } = await trainTrial(spec, watched());
    const rows = await createEncoder(model.features).prepare(spec.data.valid.inputs);
    const exported = await answerAll(model.onnx, rows, 1);
    expect(classification.ballots(exported)).toEqual(predictions);
    const alone = await answerAll(model.onnx, { count: 1, batch: () => rows.batch(Int32Array.of(5)) }, 1);
    const width = exported.shape[1] ?? 1;
    for (let i = 0; i < width; i++)
      expect(Math.abs(Number(alone.data[i]) - Number(exported.data[5 * width + i]))).toBeLessThan(1e-4);
  });

  it('starts from the best head for the encoder as it is', async () => {
    const spec = on({ epochs: 1, learning_rate: 1e-9, l2: 0.01 });
    const frozen = { ...spec, family: 'encoder', knobs: { kernel: 'linear', normalisation: 'standard', l2: 0.01 } };
    const [start, best] = [await trainTrial(spec, watched()), await trainTrial(frozen, watched())];
    expect(Math.abs(start.score - best.score)).toBeLessThan(0.1);
    expect(start.score).toBeGreaterThan(0.5);
  });

  it('learns numbers', async () => {
    const { train } = memorable();
    const examples = { ...train, labels: Float64Array.from(train.inputs, (input) => 1000 + String(input).length) };
    const data = { classes: [], train: examples, valid: examples };
    const spec = { ...on({ epochs: 8, learning_rate: 0.01, l2: 0.01 }, data), task: 'text_regression' as const };
    expect((await trainTrial(spec, watched())).score).toBeGreaterThan(0.7);
  });

  it('shares the weights of an encoder with trials on the same one', async () => {
    const rolesOf = async (spec: TrainingSpec): Promise<Record<string, string>> => {
      const roles: Record<string, string> = {};
      await trainTrial(spec, {
        ...watched(),
        async warmStart(requested) {
          for (const { name, role } of requested) roles[name] = role;
          return {};
        },
      });
      return roles;
    };
    const spec = on({ epochs: 1 });
    const { 'out.w': head, ...body } = await rolesOf(spec);
    expect(head).toMatch(/^encoder 7 head of [0-9a-f]{16}$/);
    expect(Object.values(body).filter((role) => role.startsWith('encoder 7 '))).toHaveLength(2);
    const others = await rolesOf({ ...spec, data: { ...spec.data, classes: ['a', 'b', 'other'] } });
    expect(others).toMatchObject({ ...body, 'out.b': expect.not.stringContaining(String(head)) });
    expect(others['out.w']).not.toBe(head); // as many classes, but others
  });

  it('says what is missing without an encoder', async () => {
    await expect(trainTrial(specOf('encoder_tuned', {}), watched())).rejects.toMatchObject({ sqlstate: '55000' });
  });

  it('is taken by studies whose encoder can be trained, only', () => {
    const names = (...encoders: KnownEncoder[]): string[] =>
      studyFamilies({ task: 'sentiment', families: null, maxTrials: 20, encoders }).map(({ name }) => name);
    const [fixed, trainable] = [
      { name: 'fixed', trainable: false },
      { name: 'trainable', trainable: true },
    ];
    expect(names()).not.toContain('encoder');
    expect(names(fixed)).toContain('encoder');
    expect(names(fixed)).not.toContain('encoder_tuned');
    expect(names(fixed, trainable)).toContain('encoder_tuned');
    const knobs = familyByName('encoder_tuned')
      .space('sentiment', { encoders: [fixed, trainable] })
      .knobs();
    expect(knobs.find(({ name }) => name === 'encoder')).toMatchObject({ domain: { list: ['trainable'] } });
  });
});

/** Of an encoder that is not run. */
const unknown = { inputs: [], vectors: new Float32Array(0) };

describe('an encoder', () => {
  it('is refused with the names of its operators without a gradient', async () => {
    const write = new OnnxWriter();
    const ids = write.input('ids', ['N', 'T'], 'int');
    const table = write.constant(new Float32Array(200 * 4).fill(0.1), [200, 4], 'float');
    const vectors = write.node('Gather', [table, ids], { kind: 'float' });
    const odd = write.node('Mish', [vectors]);
    write.output(write.node('ReduceMean', [odd, write.ints([1])], { attributes: { keepdims: 0 } }), 'y', ['N', 4]);
    const model = { ...tinyEncoder(), onnx: write.encode('odd') };
    expect(await obstacleOf(model, unknown)).toMatch(/no gradient here: Mish/);
    await expect(importEncoder(model)).rejects.toMatchObject({
      sqlstate: '0A000',
      detail: expect.stringContaining('Mish'),
    });
    expect(await obstacleOf(tinyEncoder(), await knownVectors(tinyEncoder()))).toBeNull();
  });

  it('is refused, and not a crash, if its file is no graph', async () => {
    for (const bytes of [new Uint8Array(0), tinyEncoder().onnx.subarray(0, 5000), Buffer.from('no graph at all')])
      expect(await obstacleOf({ ...tinyEncoder(), onnx: bytes }, unknown)).toMatch(/./);
  });

  it('is refused if the graph that would be trained answers otherwise than its file', async () => {
    const { inputs, vectors } = await knownVectors(tinyEncoder());
    for (const [by, obstacle] of [
      [5e-4, null],
      [5e-3, expect.stringContaining('answers otherwise')],
      [Number.NaN, expect.stringContaining('answers otherwise')],
    ] as const) {
      const other = vectors.map((value, i) => (i === 7 ? value + by : value));
      expect(await obstacleOf(tinyEncoder(), { inputs, vectors: other })).toEqual(obstacle);
    }
    const one = vectors.subarray(0, vectors.length / inputs.length);
    expect(await obstacleOf(tinyEncoder(), { inputs, vectors: one })).toContain('answers otherwise');
  });

  it('has growing learning rates from its first matrix to its last, and the first ones can be left as they are', () => {
    const constant = (name: string, shape: number[]) => ({
      ...{ name, shape, dtype: 'float32' as const },
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
    });
    const weights = [constant('a', [2, 2]), constant('a.bias', [2]), constant('b', [2, 2]), constant('c', [2, 2])];
    const rates = (share: number): [string, number][] =>
      ratedWeights(weights, { share, firstRate: 0.25, headRate: 1 }).map(({ weight, rate }) => [weight.name, rate]);
    expect(rates(1)).toEqual([
      ['a', 0.25],
      ['a.bias', 0.25],
      ['b', 0.5],
      ['c', 1],
    ]);
    expect(rates(0.5)).toEqual([
      ['b', 0.5],
      ['c', 1],
    ]);
  });
});
