import { afterAll, describe, expect, it } from 'vitest';
import type { Knobs } from '../../../src/domain/hyper-space.ts';
import type { DataSet, Task } from '../../../src/domain/task.ts';
import { answerAll } from '../../../src/engine/evaluate.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { fitPlain } from '../../../src/features/columns/plain.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import type { Learner } from '../../../src/models/learner.ts';
import { ForestLearner } from '../../../src/models/tabular/forest-learner.ts';
import { gradientBoosting } from '../../../src/models/tabular/gradient-boosting.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { boostingSettings } from '../../../src/trees/settings.ts';
import { dataOf, people, specOf } from './people.ts';
import { watched } from './sentences.ts';

afterAll(releaseIdleSessions);

const family = 'gradient_boosting';

async function learnerOf(task: Task, data: DataSet, knobs: Knobs = {}): Promise<Learner> {
  const all = { ...gradientBoosting.space(task).initial(), ...knobs };
  return gradientBoosting.learner(specOf(task, family, data, all));
}

async function grow(learner: Learner, rounds: number): Promise<void> {
  for (let step = 0; step < rounds; step++)
    await learner.train({ epoch: 0, epochs: 1, step: step % learner.stepsPerEpoch }, () => false);
}

/** The same people with another of three classes. */
const threeClasses = (data: DataSet): DataSet => ({
  classes: ['few', 'some', 'many'],
  train: {
    ...data.train,
    labels: Int32Array.from(data.train.labels as Int32Array, (label, i) => label + Number(i % 3 === 0)),
  },
  valid: {
    ...data.valid,
    labels: Int32Array.from(data.valid.labels as Int32Array, (label, i) => label + Number(i % 3 === 0)),
  },
});

describe('a forest in training', () => {
  it.each([
    ['tabular_classification', dataOf('tabular_classification', people(1200)), {}],
    ['tabular_classification', threeClasses(dataOf('tabular_classification', people(1200))), {}],
    ['tabular_regression', dataOf('tabular_regression', people(1200)), {}],
    ['tabular_regression', dataOf('tabular_regression', people(1200)), { loss: 'absolute_error' }],
  ] as const)('answers all rows as its exported file does: %s', async (task, data, knobs) => {
    const rows = {
      ...data,
      valid: { inputs: [...data.train.inputs, ...data.valid.inputs], labels: data.train.labels },
    };
    const learner = await learnerOf(task, rows, knobs);
    await grow(learner, 40);
    const { answers, parts } = await learner.validated();
    const { model, variants } = await learner.exported(parts());
    expect(variants).toEqual([]);
    const exported = await answerAll(model.onnx, await createEncoder(model.features).prepare(rows.valid.inputs), 1);
    expect(exported.shape).toEqual(answers.shape);
    expect(new Set(Array.from(answers.data, Number)).size).toBeGreaterThan(20);
    for (const [i, answer] of exported.data.entries()) {
      const own = Number(answers.data[i]);
      expect(Math.abs(Number(answer) - own)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(own)));
    }
    await learner.release();
  });

  it('has no model but that of the round that is asked for', async () => {
    const learner = await learnerOf('tabular_classification', dataOf('tabular_classification', people(300)));
    await grow(learner, 3);
    const { answers, parts } = await learner.validated();
    const kept = parts();
    await grow(learner, 5);
    const { model } = await learner.exported(kept);
    const data = dataOf('tabular_classification', people(300));
    const early = await answerAll(model.onnx, await createEncoder(model.features).prepare(data.valid.inputs), 1);
    expect(Number(early.data[0])).toBeCloseTo(Number(answers.data[0]), 5);
    expect(Number((await learner.validated()).answers.data[0])).not.toBeCloseTo(Number(answers.data[0]), 3);
    await learner.release();
  });

  it('refuses a state of another number of rounds', async () => {
    const learner = await learnerOf('tabular_classification', dataOf('tabular_classification', people(100)));
    await grow(learner, 2);
    const state = learner.state();
    learner.restore(state, 2);
    expect(learner.steps).toBe(2);
    expect(() => learner.restore(state, 3)).toThrow(expect.objectContaining({ sqlstate: 'XX001' }));
    await learner.release();
  });

  it('that is full grows no further, and has the loss that it had', async () => {
    const { classes, train, valid } = dataOf('tabular_classification', people(300));
    const learner = new ForestLearner({
      features: {
        ...{ encoder: 'plain', classes },
        state: fitPlain(train.inputs, { labels: train.labels, classes }),
      },
      ...{ train, valid, bins: 63, epochs: 10, threads: 1, balanced: false, maxNodes: 1 },
      settings: boostingSettings({ objective: 'log_loss' }),
    });
    const lossOfEpoch = async (epoch: number): Promise<number> => {
      let loss = 0;
      for (let step = 0; step < learner.stepsPerEpoch; step++)
        loss += (await learner.train({ epoch, epochs: 10, step }, () => false))?.lossSum ?? Number.NaN;
      return loss / learner.stepsPerEpoch;
    };
    const losses = [await lossOfEpoch(0), await lossOfEpoch(1)];
    expect(learner.steps).toBe(1);
    expect(losses[0]).toBeGreaterThan(0.1);
    expect(losses[0]).toBeLessThan(Math.LN2);
    expect(losses[1]).toBe(losses[0]);
    await learner.release();
  });

  it('weighs classes as if they had equally many rows, if asked to', async () => {
    const given = people(1500).filter(({ buys }, i) => buys || i % 10 === 0);
    const data = dataOf('tabular_classification', given);
    const spec = specOf('tabular_classification', family, data, { epochs: 3 });
    const shareOfRare = async (balanced: boolean): Promise<number> => {
      const { predictions } = await trainTrial({ ...spec, balanced }, watched());
      return predictions.filter((label) => label === 0).length / predictions.length;
    };
    expect(await shareOfRare(true)).toBeGreaterThan((await shareOfRare(false)) + 0.03);
  });
});

describe('a trial of a forest', () => {
  const data = dataOf('tabular_classification', people(400));

  it('ends some epochs after the best one, unless it is trained again on all rows', async () => {
    const spec = specOf('tabular_classification', family, data, { learning_rate: 0.3, epochs: 60 });
    const hooks = watched();
    const { epochs, score } = await trainTrial({ ...spec, metric: 'likelihood' }, hooks);
    const scores = hooks.reports.map((report) => report.score);
    expect(score).toBe(Math.max(...scores));
    expect(epochs).toBe(scores.indexOf(score) + 1 + 5);
    expect((await trainTrial({ ...spec, metric: 'likelihood' }, { ...watched(), keepsLast: true })).epochs).toBe(60);
  });

  it('continues its patience from a checkpoint', async () => {
    const spec = specOf('tabular_classification', family, data, { learning_rate: 0.3, epochs: 60 });
    const undisturbed = watched();
    const whole = await trainTrial({ ...spec, metric: 'likelihood' }, undisturbed);
    const resumed = await trainTrial({ ...spec, metric: 'likelihood' }, watched(undisturbed.checkpoints.at(-3)));
    expect(resumed).toMatchObject({ epochs: whole.epochs, score: whole.score });
    expect(Buffer.compare(resumed.model.onnx, whole.model.onnx)).toBe(0);
  });

  it('starts from no weights, and publishes none', async () => {
    const asked: unknown[] = [];
    await trainTrial(specOf('tabular_classification', family, data, { epochs: 1 }), {
      ...watched(),
      async warmStart(requested) {
        asked.push(requested);
        return {};
      },
      async onReport(_, weights) {
        asked.push(weights);
        return 'continue';
      },
    });
    expect(asked).toEqual([undefined]);
  });

  it('reports a training loss that falls', async () => {
    const hooks = watched();
    await trainTrial(specOf('tabular_classification', family, data, { epochs: 5 }), hooks);
    const losses = hooks.reports.map(({ loss }) => loss);
    expect(losses[0]).toBeLessThan(Math.LN2);
    expect(losses).toEqual(losses.toSorted((a, b) => b - a));
  });

  it('is refused with the limit if its scores need too much memory', async () => {
    const inputs = Array.from({ length: 20 }, () => data.train.inputs).flat();
    const labels = Int32Array.from(inputs, (_, row) => row);
    const classes = Array.from(inputs, (_, row) => `class ${row}`);
    const huge = {
      classes,
      train: { inputs, labels },
      valid: { inputs: inputs.slice(0, 1), labels: labels.slice(0, 1) },
    };
    await expect(trainTrial(specOf('tabular_classification', family, huge), watched())).rejects.toMatchObject({
      sqlstate: '54000',
      detail: '6000 rows have 6000 scores each; the limit is 33554432 scores.',
    });
  });

  it('needs rows to train on, and to validate on', async () => {
    const none = { inputs: [], labels: new Int32Array() };
    const spec = specOf('tabular_classification', family, { ...data, valid: none });
    await expect(trainTrial(spec, watched())).rejects.toMatchObject({
      message: 'there are too few rows to train and validate',
      detail: '300 rows to train on, 0 to validate on',
    });
  });
});
