import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unweighted } from '../../../src/domain/ensembles/rule.ts';
import type { TrainedModel } from '../../../src/domain/training.ts';
import { type LoadedModel, loadModel } from '../../../src/engine/inference.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import type { AnsweringRule } from '../../../src/explain/ensemble.ts';
import { EnsembleExplainer } from '../../../src/explain/explain.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { packModel, unpackModel } from '../../../src/params/model-codec.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { dataOf, people, specOf } from '../models/people.ts';
import { pictureSpec, randomPictures } from '../models/pictures.ts';
import { specOf as textSpec, watched } from '../models/sentences.ts';

/** A stored model, loaded as a server does it. */
interface Loaded {
  model: TrainedModel;
  loaded: { encoder: ReturnType<typeof createEncoder>; run: LoadedModel['run'] };
  /** Probabilities, or a number. */
  answer(input: string): Promise<number[]>;
}

const open: LoadedModel[] = [];
async function loadedOf(trained: TrainedModel): Promise<Loaded> {
  const model = unpackModel(packModel(trained));
  const session = await loadModel(model.onnx, { threads: 1 });
  open.push(session);
  const encoder = createEncoder(model.features);
  return {
    model,
    loaded: { encoder, run: (feeds) => session.run(feeds) },
    answer: async (input) => Array.from((await session.run(await encoder.encode([input]))).data, Number),
  };
}

const given = people(1200);
const row = (changed: Record<string, unknown> = {}): string =>
  JSON.stringify({ age: 33, job: 'cook', since: '2001-05-17', member: true, ...changed });
const columns = ['age', 'job', 'since', 'member'];

const trained = new Map<string, Loaded>();
beforeAll(async () => {
  for (const task of ['tabular_classification', 'tabular_regression'] as const)
    for (const family of ['gradient_boosting', 'linear', 'mlp']) {
      const { model } = await trainTrial(specOf(task, family, dataOf(task, given), { epochs: 8 }), watched());
      trained.set(`${task} ${family}`, await loadedOf(model));
    }
}, 120_000);
afterAll(async () => {
  for (const session of open) await session.release();
  await releaseIdleSessions();
});

const of = (task: string, ...families: string[]): Loaded[] =>
  families.map((family) => trained.get(`${task} ${family}`) as Loaded);
const together = (count: number): AnsweringRule => ({ rule: 'vote', members: Array(count).fill(unweighted(0.9)) });
const explain = (members: Loaded[], input: string, about = -1) =>
  new EnsembleExplainer('columns', members).explain(input, about, together(members.length));
const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

describe.each([['gradient_boosting'], ['linear'], ['mlp'], ['gradient_boosting', 'linear', 'mlp']])(
  '%s %s %s',
  (...names) => {
    const families = names.filter((name) => name !== undefined);

    it('explains the log odds of a class: they are those of its probability', async () => {
      const members = of('tabular_classification', ...families);
      for (const input of given.slice(0, 20).map(({ json }) => json)) {
        const answers = await Promise.all(members.map(({ answer }) => answer(input)));
        const mean = (label: number): number => sum(answers.map((shares) => shares[label] as number)) / answers.length;
        for (const about of [0, 1]) {
          const { score, base, added } = await explain(members, input, about);
          expect(added).toHaveLength(columns.length);
          expect(base + sum(added)).toBeCloseTo(score, 9);
          expect(1 / (1 + Math.exp(-score))).toBeCloseTo(mean(about), 4);
        }
        const voted = await explain(members, input);
        if (families.length === 1) expect(voted.about).toBe(mean(1) > mean(0) ? 1 : 0);
      }
    });

    it('explains a number in its unit', async () => {
      const members = of('tabular_regression', ...families);
      for (const input of given.slice(0, 20).map(({ json }) => json)) {
        const answers = await Promise.all(members.map(({ answer }) => answer(input)));
        const { about, score, base, added } = await explain(members, input);
        expect(about).toBe(-1);
        expect(base + sum(added)).toBeCloseTo(score, 6);
        expect(Math.abs(score - sum(answers.map(([number = 0]) => number)) / answers.length)).toBeLessThan(0.2); // of a million, in single precision
      }
    });

    it('names the columns that matter, and gives a column that does not little', async () => {
      const { added } = await explain(of('tabular_classification', ...families), row({ age: 70 }), 1);
      const [age = 0, job = 0, , member = 0] = added;
      expect(age).toBeGreaterThan(0.5);
      expect(job).toBeGreaterThan(0.2);
      expect(Math.abs(member)).toBeLessThan(0.3 * age);
    });

    it('gives the same each time', async () => {
      const members = of('tabular_classification', ...families);
      expect(await explain(members, row())).toEqual(await explain(members, row()));
    });
  },
);

it('a column of a linear model adds what its answers differ by if only that column does', async () => {
  const [linear] = of('tabular_regression', 'linear') as [Loaded];
  for (const [c, changed] of [{ age: 60 }, { job: 'clerk' }, { since: '2015-05-17' }, { member: null }].entries()) {
    const [here, there] = [await explain([linear], row()), await explain([linear], row(changed))];
    const [[before = 0], [after = 0]] = [await linear.answer(row()), await linear.answer(row(changed))] as [
      number[],
      number[],
    ];
    expect(Math.abs((there.added[c] as number) - (here.added[c] as number) - (after - before))).toBeLessThan(0.2);
    for (const other of columns.keys()) if (other !== c) expect(there.added[other]).toBe(here.added[other]);
    expect(there.base).toBe(here.base);
  }
});

it('all rows and their mean explanation: a linear model has its base at the mean of the training rows', async () => {
  const [linear] = of('tabular_regression', 'linear') as [Loaded];
  const rows = given.slice(0, 900); // the training rows, see `dataOf`
  const answers = await Promise.all(rows.map(async ({ json }) => (await linear.answer(json))[0] as number));
  expect((await explain([linear], row())).base).toBeCloseTo(sum(answers) / answers.length, 0);
});

it('sampled contributions are near exact ones of a model that adds up', async () => {
  const [linear, mlp] = of('tabular_regression', 'linear', 'mlp') as [Loaded, Loaded];
  const kept = mlp.model.explaining;
  if (kept === undefined) throw new Error('rows are kept with an MLP');
  const sampled = { ...linear, model: { ...linear.model, explaining: kept } };
  const [exact, near] = [await explain([linear], row()), await explain([sampled], row())];
  // they differ by the mean of 32 rows from that of all
  for (const c of columns.keys())
    expect(Math.abs((near.added[c] as number) - (exact.added[c] as number))).toBeLessThan(120);
  expect(near.score).toBeCloseTo(exact.score, 0);
});

it('what is missing, or cannot be read, is an error as for predictions', async () => {
  for (const family of ['gradient_boosting', 'linear', 'mlp']) {
    const members = of('tabular_classification', family);
    await expect(explain(members, '{"age": 1}')).rejects.toMatchObject({
      sqlstate: '22000',
      message: 'the input has no column "job"',
    });
    await expect(explain(members, 'a text')).rejects.toMatchObject({
      message: 'the model reads columns, but the input is no JSON object',
    });
  }
});

it('a model of columns that kept nothing for explanations says so', () => {
  const [{ model, loaded }] = of('tabular_classification', 'linear') as [Loaded];
  const { explaining: _, ...older } = model;
  expect(() => new EnsembleExplainer('columns', [{ model: older, loaded }])).toThrow(
    expect.objectContaining({ sqlstate: '0A000', message: 'the model was trained by a version that explained none' }),
  );
});

it('a forest is explained exactly where only one column counts', async () => {
  const [forest] = of('tabular_regression', 'gradient_boosting') as [Loaded];
  const { added, base, score } = await explain([forest], row());
  expect(base).toBeGreaterThan(1_000_200);
  expect(base).toBeLessThan(1_000_800);
  expect(score - base).toBeCloseTo(sum(added), 6);
});

describe('a text', () => {
  it('is explained by its words', async () => {
    const inputs = Array.from({ length: 80 }, (_, i) => (i % 2 === 0 ? `good film ${i % 7}` : `bad film ${i % 5}`));
    const rows = { inputs, labels: Int32Array.from(inputs, (_, i) => 1 - (i % 2)) };
    const { model } = await trainTrial(
      textSpec('fasttext', { epochs: 15 }, { classes: ['neg', 'pos'], train: rows, valid: rows }),
      watched(),
    );
    const { answer, ...member } = await loadedOf(model);
    const explainer = new EnsembleExplainer('text', [member]);
    const { about, score, base, added } = await explainer.explain('a good film', -1, together(1));
    expect(about).toBe(1);
    expect(added).toHaveLength(3);
    expect(Math.max(...added)).toBe(added[1]);
    expect(1 / (1 + Math.exp(-score))).toBeCloseTo((await answer('a good film'))[1] as number, 4);
    expect(base + sum(added)).toBeCloseTo(score, 9);
    expect(1 / (1 + Math.exp(-base))).toBeCloseTo((await answer(''))[1] as number, 4);
    await expect(explainer.explain(' ', -1, together(1))).rejects.toMatchObject({ sqlstate: '22000' });
  });
});

it('an image is explained by its patches', async () => {
  const { model } = await trainTrial(pictureSpec('squeezenet', { epochs: 2 }, await randomPictures(24)), watched());
  const { loaded } = await loadedOf(model);
  const [file] = (await randomPictures(1, 9)).train.inputs;
  const explainer = new EnsembleExplainer('image', [{ model, loaded }]);
  const { about, score, base, added, size } = await explainer.explain(file as Uint8Array, -1, together(1));
  const shares = Array.from((await loaded.run(await loaded.encoder.encode([file as Uint8Array]))).data, Number);
  expect(size).toEqual({ width: 16, height: 16 });
  expect(added).toHaveLength(36);
  expect(about).toBe(shares.indexOf(Math.max(...shares)));
  expect(1 / (1 + Math.exp(-score))).toBeCloseTo(shares[about] as number, 4);
  expect(base + sum(added)).toBeCloseTo(score, 9);
  await expect(explainer.explain(Buffer.from('no image'), -1, together(1))).rejects.toMatchObject({
    message: 'an image cannot be read',
  });
});
