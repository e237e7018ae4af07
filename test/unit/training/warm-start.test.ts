import { afterAll, describe, expect, test } from 'vitest';
import type { TrainingHooks, TrainingResult } from '../../../src/domain/training.ts';
import type { PublishedWeights, RequestedTensor } from '../../../src/domain/warm-start.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { specOf, watched } from '../models/sentences.ts';

afterAll(releaseIdleSessions);

const knobs = { epochs: 4, batch: 16, dim: 16, learning_rate: 0.02, dropout: 0, word_dropout: 0, min_texts: 1 };

interface Watched {
  hooks: ReturnType<typeof watched> & TrainingHooks;
  wanted: RequestedTensor[];
  published: PublishedWeights[];
}

/** Hooks that start from the given weights, whatever their roles, and keep what each epoch would publish. */
function startingFrom(start: PublishedWeights | undefined): Watched {
  const wanted: RequestedTensor[] = [];
  const published: PublishedWeights[] = [];
  const hooks = watched();
  const { onReport } = hooks;
  return {
    wanted,
    published,
    hooks: {
      ...hooks,
      async warmStart(asked) {
        wanted.push(...asked);
        return start?.tensors ?? {};
      },
      async onReport(report, weights) {
        if (weights) published.push(weights());
        return onReport(report, weights);
      },
    },
  };
}

const onnxOf = ({ model }: TrainingResult): Buffer => Buffer.from(model.onnx);

describe('a trial that starts from the weights of another', () => {
  test('is ahead of one that starts at random, and the same each time', async () => {
    const parent = startingFrom(undefined);
    await trainTrial(specOf('fasttext', knobs), parent.hooks);
    const start = parent.published.at(-1);
    const [first, second] = [startingFrom(start), startingFrom(start)];
    const results = [
      await trainTrial(specOf('fasttext', knobs), first.hooks),
      await trainTrial(specOf('fasttext', knobs), second.hooks),
    ];
    expect(onnxOf(results[0]!).equals(onnxOf(results[1]!))).toBe(true);
    expect(first.hooks.reports[0]!.loss).toBeLessThan(parent.hooks.reports[0]!.loss);
  });

  test('resumes from its checkpoint without asking again, to the very bits', async () => {
    const parent = startingFrom(undefined);
    await trainTrial(specOf('fasttext', knobs), parent.hooks);
    const child = startingFrom(parent.published[0]);
    const whole = await trainTrial(specOf('fasttext', knobs), child.hooks);
    const [checkpoint] = child.hooks.checkpoints;
    const warmStart = async (): Promise<never> => Promise.reject(new Error('asked again'));
    const resumed = await trainTrial(specOf('fasttext', knobs), { ...watched(checkpoint), warmStart });
    expect(onnxOf(resumed).equals(onnxOf(whole))).toBe(true);
  });

  test('keeps random values where nothing was given', async () => {
    const random = startingFrom(undefined);
    const none = startingFrom({ tensors: {}, roles: {} });
    const results = [
      await trainTrial(specOf('fasttext', knobs), random.hooks),
      await trainTrial(specOf('fasttext', knobs), none.hooks),
    ];
    expect(onnxOf(results[0]!).equals(onnxOf(results[1]!))).toBe(true);
  });

  test('names the role of a table after the fitted vocabulary', async () => {
    const [one, same, other] = [startingFrom(undefined), startingFrom(undefined), startingFrom(undefined)];
    await trainTrial(specOf('fasttext', { ...knobs, epochs: 1 }), one.hooks);
    await trainTrial(specOf('fasttext', { ...knobs, epochs: 1, learning_rate: 0.01 }), same.hooks);
    await trainTrial(specOf('fasttext', { ...knobs, epochs: 1, word_ngrams: 1 }), other.hooks);
    const roleOf = ({ wanted }: Watched, name: string): string | undefined =>
      wanted.find((each) => each.name === name)?.role;
    expect(roleOf(one, 'table')).toMatch(/^rows of [0-9a-f]{32}$/);
    expect(roleOf(same, 'table')).toBe(roleOf(one, 'table'));
    expect(roleOf(other, 'table')).not.toBe(roleOf(one, 'table'));
    expect([roleOf(one, 'out.w'), roleOf(one, 'out.b')]).toEqual(['weight', 'offset']);
  });
});
