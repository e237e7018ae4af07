import { afterAll, expect, it } from 'vitest';
import type { Knobs } from '../../../src/domain/hyper-space.ts';
import type { TrainingSpec } from '../../../src/domain/training.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { fitToTime } from '../../../src/training/fit-to-time.ts';
import { randomPictures } from '../models/pictures.ts';
import { specOf } from '../models/sentences.ts';

afterAll(releaseIdleSessions);

const none = { studySeconds: 0, workers: 1 };
const plenty = { studySeconds: 1e6, workers: 1 };

const wide = async (knobs: Knobs): Promise<TrainingSpec> => ({
  task: 'image_classification',
  family: 'squeezenet',
  knobs: { width: 64, epochs: 5, ...knobs },
  seed: 1,
  threads: 1,
  data: await randomPictures(24),
});

it('keeps a network unchanged if there is enough time', async () => {
  const { knobs, fullSeconds } = await fitToTime(await wide({}), plenty, new Set());
  expect(knobs).toMatchObject({ width: 64, epochs: 5 });
  expect(fullSeconds).toBeGreaterThan(0);
});

it('chooses the next smaller one while three quarters of the epochs do not fit into the time of the study', async () => {
  const { knobs } = await fitToTime(await wide({}), none, new Set());
  expect(knobs).toMatchObject({ width: 16, epochs: 5 });
});

it('changes nothing that the user chose, and no family that has one size only', async () => {
  expect((await fitToTime(await wide({}), none, new Set(['width']))).knobs).toMatchObject({ width: 64 });
  const texts = specOf('fasttext', { epochs: 4 });
  expect(await fitToTime(texts, none, new Set())).toMatchObject({ knobs: { epochs: 4 }, fullSeconds: 0 });
});

it('counts the time of all workers', async () => {
  const { fullSeconds } = await fitToTime(await wide({}), plenty, new Set());
  const studySeconds = fullSeconds / 100;
  expect((await fitToTime(await wide({}), { studySeconds, workers: 1 }, new Set())).knobs).toMatchObject({ width: 16 });
  expect((await fitToTime(await wide({}), { studySeconds, workers: 10_000 }, new Set())).knobs).toMatchObject({
    width: 64,
  });
});
