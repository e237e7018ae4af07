import { afterAll, describe, expect, it } from 'vitest';
import type { DataSet, Examples, Task } from '../../../src/domain/task.ts';
import { answerAll } from '../../../src/engine/evaluate.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import type { Learner } from '../../../src/models/learner.ts';
import { linearText } from '../../../src/models/text/linear-text.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { watched } from './sentences.ts';

afterAll(releaseIdleSessions);

const nouns = ['film', 'plot', 'cast', 'end', 'music'];
const opinions = ['awful', 'dull', 'fine', 'great'];

/** Texts whose class, or number, is an opinion; others are noise. */
function dataOf(task: Task, classes: number, rows = 240): DataSet {
  const rng = createRng(2);
  const drawn = Array.from({ length: rows }, () => ({ opinion: rng.below(classes), noun: rng.below(nouns.length) }));
  const inputs = drawn.map(({ opinion, noun }, i) => `the ${nouns[noun]} was ${opinions[opinion]} number${i}`);
  const isNumber = task === 'text_regression';
  const part = (from: number, to: number): Examples => {
    const some = drawn.slice(from, to);
    return {
      inputs: inputs.slice(from, to),
      labels: isNumber
        ? Float64Array.from(some, ({ opinion }) => 1000 + 10 * opinion)
        : Int32Array.from(some, ({ opinion }) => opinion),
    };
  };
  const border = Math.floor(rows * 0.75);
  return {
    classes: isNumber ? [] : opinions.slice(0, classes).sort(),
    train: part(0, border),
    valid: part(border, rows),
  };
}

const specOf = (task: Task, data: DataSet, knobs = {}) =>
  ({ task, family: 'linear_text', knobs, seed: 3, threads: 1, data }) as const;

const cases = [
  ['text_classification', 2, 'logistic'],
  ['text_classification', 2, 'squared_hinge'],
  ['text_classification', 4, 'logistic'],
  ['text_classification', 4, 'squared_hinge'],
  ['text_regression', 4, 'squared_error'],
  ['text_regression', 4, 'huber'],
] as const;

async function solve(learner: Learner, epochs: number): Promise<void> {
  for (let epoch = 0; epoch < epochs; epoch++)
    for (let step = 0; step < learner.stepsPerEpoch; ) {
      const trained = await learner.train({ epoch, epochs, step }, () => false);
      step += trained?.steps ?? learner.stepsPerEpoch;
    }
}

describe.each(cases)('a linear model of texts, %s with %d opinions by %s', (task, classes, loss) => {
  const data = dataOf(task, classes);

  it('learns what a word says, with its initial knobs otherwise', async () => {
    const { score, epochs } = await trainTrial(specOf(task, data, { loss }), watched());
    expect(score).toBeGreaterThan(0.95);
    expect(epochs).toBeLessThanOrEqual(8);
  });

  it('answers as its exported file does', async () => {
    const learner = await linearText.learner(
      specOf(task, data, { ...linearText.space(task).initial(), loss, min_texts: 1 }),
    );
    await solve(learner, 3);
    const { answers, parts } = await learner.validated();
    const { model } = await learner.exported(parts());
    const exported = await answerAll(model.onnx, await createEncoder(model.features).prepare(data.valid.inputs), 1);
    expect(exported.shape).toEqual(answers.shape);
    for (const [i, answer] of exported.data.entries()) {
      const own = Number(answers.data[i]);
      expect(Math.abs(Number(answer) - own)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(own)));
    }
  });

  it('resumed from any checkpoint gives the same file', async () => {
    const spec = specOf(task, data, { loss, epochs: 3 });
    const undisturbed = watched();
    const whole = await trainTrial(spec, undisturbed);
    expect(undisturbed.checkpoints.length).toBeGreaterThan(3);
    for (const checkpoint of undisturbed.checkpoints) {
      const resumed = await trainTrial(spec, watched(checkpoint));
      expect(Buffer.compare(resumed.model.onnx, whole.model.onnx)).toBe(0);
      expect(resumed.score).toBe(whole.score);
    }
  });
});

describe('a linear model of texts', () => {
  const task = 'text_classification';

  it('has probabilities that are calibrated, of margins, too', async () => {
    const rng = createRng(8);
    const inputs = Array.from({ length: 4000 }, (_, i) => `${i % 2 ? 'good' : 'bad'} ${nouns[rng.below(5)]}`);
    // a fifth of the labels is wrong: no more than four fifths can be certain
    const labels = Int32Array.from(inputs, (_, i) => (rng.below(5) === 0 ? 1 - (i % 2) : i % 2));
    const part = (from: number, to: number) => ({ inputs: inputs.slice(from, to), labels: labels.slice(from, to) });
    const data = { classes: ['bad', 'good'], train: part(0, 3000), valid: part(3000, 4000) };
    for (const loss of ['logistic', 'squared_hinge'] as const) {
      const { model } = await trainTrial(specOf(task, data, { loss }), watched());
      const { data: answers } = await answerAll(
        model.onnx,
        await createEncoder(model.features).prepare(['good film']),
        1,
      );
      expect(Number(answers[1])).toBeGreaterThan(0.75);
      expect(Number(answers[1])).toBeLessThan(0.85);
    }
  });

  it('weighs classes as if they had equally many rows, if asked to', async () => {
    const rng = createRng(8);
    const inputs = Array.from({ length: 1000 }, () => `the ${nouns[rng.below(5)]}`);
    const labels = Int32Array.from(inputs, (_, i) => Number(i % 10 === 0));
    const data = { classes: ['no', 'yes'], train: { inputs, labels }, valid: { inputs, labels } };
    const meanOf = async (balanced: boolean): Promise<number> => {
      const { model } = await trainTrial({ ...specOf(task, data), balanced }, watched());
      const { data: answers } = await answerAll(model.onnx, await createEncoder(model.features).prepare(inputs), 1);
      return Array.from(answers, Number)
        .filter((_, i) => i % 2 === 1)
        .reduce((sum, p) => sum + p / inputs.length, 0);
    };
    expect(await meanOf(false)).toBeCloseTo(0.1, 1);
    expect(await meanOf(true)).toBeCloseTo(0.5, 1);
  });

  it('ends an iteration when it is told to, without changing anything', async () => {
    const data = dataOf(task, 2);
    const learner = await linearText.learner(specOf(task, data, linearText.space(task).initial()));
    const before = learner.state();
    expect(await learner.train({ epoch: 0, epochs: 1, step: 0 }, () => true)).toBeNull();
    expect(learner.state()).toEqual(before);
    expect(learner.steps).toBe(0);
  });

  it('refuses knobs and states that are none', async () => {
    const data = dataOf(task, 2);
    const initial = linearText.space(task).initial();
    for (const wrong of [{ c: 0 }, { char_norm: -1 }, { loss: 'huber' }, { word_ngrams: 0 }])
      expect(() => linearText.learner(specOf(task, data, { ...initial, ...wrong }))).toThrow(
        expect.objectContaining({ sqlstate: '22023' }),
      );
    const learner = await linearText.learner(specOf(task, data, initial));
    expect(() => learner.restore({}, 1)).toThrow(expect.objectContaining({ sqlstate: 'XX001' }));
  });
});
