import { afterAll, describe, expect, it } from 'vitest';
import { regression } from '../../../src/domain/kinds/regression.ts';
import type { DataSet, Examples } from '../../../src/domain/task.ts';
import type { TrainingSpec } from '../../../src/domain/training.ts';
import { answerAll } from '../../../src/engine/evaluate.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { familiesFor } from '../../../src/models/registry.ts';
import { packModel, unpackModel } from '../../../src/params/model-codec.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { tableRows } from '../features/table-rows.ts';
import { watched } from './sentences.ts';

afterAll(releaseIdleSessions);

const columns = [
  { name: 'age', kind: 'number' },
  { name: 'job', kind: 'text' },
  { name: 'since', kind: 'time' },
  { name: 'member', kind: 'boolean' },
];

/** People, a tenth of their values NULL. Who buys follows from age and job; how much, from age, job and time. */
function people(count: number, seed = 5) {
  const rng = createRng(seed);
  const jobs = { cook: 2, clerk: -2, poet: 0, smith: 1 };
  const unless = <T>(value: T): T | null => (rng.below(10) === 0 ? null : value);
  return Array.from({ length: count }, () => {
    const [age, year] = [18 + rng.below(60), 1990 + rng.below(30)];
    const job = (Object.keys(jobs) as (keyof typeof jobs)[])[rng.below(4)] ?? 'cook';
    return {
      buys: (age - 48) / 10 + jobs[job] > 0,
      spends: 1e6 + 10 * age + 100 * jobs[job] + (year - 1990),
      json: JSON.stringify({
        age: unless(age),
        job: unless(job),
        since: unless(`${year}-05-17`),
        member: unless(rng.below(2) === 1),
      }),
    };
  });
}

/** The first three quarters to train on, the others to validate on. */
function dataOf(
  task: TrainingSpec['task'],
  given: readonly { buys: boolean; spends: number; json: string }[],
): DataSet {
  const inputs = tableRows(
    columns,
    given.map(({ json }) => json),
  );
  const part = (from: number, to: number): Examples => {
    const rows = given.slice(from, to);
    const labels =
      task === 'tabular_regression'
        ? Float64Array.from(rows, ({ spends }) => spends)
        : Int32Array.from(rows, ({ buys }) => Number(buys));
    return { inputs: inputs.slice(from, to), labels };
  };
  const border = Math.floor(given.length * 0.75);
  return {
    classes: task === 'tabular_regression' ? [] : ['no', 'yes'],
    train: part(0, border),
    valid: part(border, given.length),
  };
}

const specOf = (
  task: TrainingSpec['task'],
  family: string,
  data: DataSet,
  knobs: TrainingSpec['knobs'] = {},
): TrainingSpec => ({
  ...{ task, family, knobs, seed: 11, threads: 1, data },
});

const cases = (['tabular_classification', 'tabular_regression'] as const).flatMap((task) =>
  familiesFor(task).map(({ name }) => [task, name] as const),
);

describe.each(cases)('%s by %s', (task, family) => {
  it('learns what follows from the columns, with its initial knobs', async () => {
    const { score } = await trainTrial(specOf(task, family, dataOf(task, people(2000))), watched());
    expect(score).toBeGreaterThan(task === 'tabular_regression' ? 0.75 : 0.85); // a tenth of each column is NULL
  });

  it('resumed from any checkpoint gives the same model', async () => {
    const spec = specOf(task, family, dataOf(task, people(200)), { epochs: 3 });
    const undisturbed = watched();
    const whole = await trainTrial(spec, undisturbed);
    expect(undisturbed.checkpoints.length).toBeGreaterThan(1);
    for (const checkpoint of undisturbed.checkpoints) {
      const resumed = await trainTrial(spec, watched(checkpoint));
      expect(Buffer.compare(resumed.model.onnx, whole.model.onnx)).toBe(0);
    }
  });

  it('answers rows in JSON from the stored model as it answered the rows of the table', async () => {
    const given = people(300);
    const { valid, ...data } = dataOf(task, given);
    const { model } = await trainTrial(specOf(task, family, { valid, ...data }, { epochs: 3 }), watched());
    const { onnx, features } = unpackModel(packModel(model));
    const encoder = createEncoder(features);
    const fromTable = await answerAll(onnx, await encoder.prepare(valid.inputs), 1);
    const fromJson = await answerAll(
      onnx,
      await encoder.prepare(given.slice(-valid.inputs.length).map(({ json }) => json)),
      1,
    );
    expect(fromJson).toEqual(fromTable);
  });

  it('trains on a few rows, constant columns, and columns of NULL', async () => {
    const given = people(16).map((each) => ({ ...each, json: '{"age":null,"job":"cook","since":null,"member":true}' }));
    await expect(
      trainTrial(specOf(task, family, dataOf(task, given), { epochs: 1 }), watched()),
    ).resolves.toBeDefined();
  });
});

it('numbers far from zero are learnt and answered in their own unit', async () => {
  const data = dataOf('tabular_regression', people(2000));
  const { model, metrics } = await trainTrial(specOf('tabular_regression', 'linear', data), watched());
  expect(metrics['rmse']).toBeLessThan(120); // of a standard deviation of some 230
  const answers = await answerAll(
    model.onnx,
    await createEncoder(model.features).prepare(data.valid.inputs.slice(0, 1)),
    1,
  );
  expect(
    Math.abs(Number(regression.answers([]).answer([answers.data as Float32Array], 0, 1)) - 1_000_480),
  ).toBeLessThan(1000);
});
