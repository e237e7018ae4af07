import { describe, expect, test } from 'vitest';
import { unweighted } from '../../../src/domain/ensembles/rule.ts';
import type { DataSet, Examples } from '../../../src/domain/task.ts';
import { scoreIncumbent } from '../../../src/training/incumbent.ts';
import type { Incumbent } from '../../../src/training/messages.ts';
import { trainTrial } from '../../../src/training/train.ts';

const task = 'sentiment';
const part = (texts: string[], labels: number[]): Examples => ({ inputs: texts, labels: Int32Array.from(labels) });
const good = Array.from({ length: 24 }, (_, i) => `a great film ${i}`);
const bad = Array.from({ length: 24 }, (_, i) => `an awful film ${i}`);
const train = part([...good, ...bad], [...good.map(() => 0), ...bad.map(() => 1)]);

async function trained(classes: string[]): Promise<Incumbent['members'][number]> {
  const data: DataSet = { classes, train, valid: train };
  const spec = { task, family: 'fasttext', knobs: { epochs: 8 }, seed: 1, threads: 1, data } as const;
  const hooks = { onReport: async () => 'continue' as const, onCheckpoint: async () => undefined };
  const { model, score } = await trainTrial(spec, hooks);
  return { model, ...unweighted(score) };
}

describe('the score of a deployed model on the rows of another study', () => {
  test('goes by the names of classes, not by their places', async () => {
    const model = await trained(['good', 'bad']);
    const valid = part(['great', 'awful', 'great film', 'awful film'], [2, 0, 2, 1]);
    const data: DataSet = { classes: ['bad', 'dull', 'good'], train, valid };
    expect(await scoreIncumbent({ members: [model], rule: 'vote' }, { task, data, threads: 1 })).toBe(0.75);
  });

  test('counts a missing class as wrong, and lets the majority decide', async () => {
    const knows = await trained(['good', 'bad']);
    const unrelated = await trained(['x', 'y']);
    const data: DataSet = { classes: ['bad', 'good'], train, valid: part(['great', 'awful'], [1, 0]) };
    expect(await scoreIncumbent({ members: [unrelated], rule: 'vote' }, { task, data, threads: 1 })).toBe(0);
    const members = [unrelated, knows, knows];
    expect(await scoreIncumbent({ members, rule: 'vote' }, { task, data, threads: 1 })).toBe(1);
  });

  test('is that of the weighted probabilities, if the version is weighted', async () => {
    const [knows, turned] = [await trained(['good', 'bad']), await trained(['bad', 'good'])];
    const data: DataSet = { classes: ['bad', 'good'], train, valid: part(['great', 'awful'], [1, 0]) };
    const score = (weights: number[]): Promise<number> => {
      const members = [knows, turned].map((member, m) => ({ ...member, weight: weights[m] ?? 0 }));
      return scoreIncumbent({ members, rule: 'weighted' }, { task, data, threads: 1 });
    };
    expect([await score([0.9, 0.1]), await score([0.1, 0.9])]).toEqual([1, 0]);
  });
});
