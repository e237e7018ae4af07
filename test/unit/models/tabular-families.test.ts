import { afterAll, describe, expect, it } from 'vitest';
import { unweighted } from '../../../src/domain/ensembles/rule.ts';
import { regression } from '../../../src/domain/kinds/regression.ts';
import { answerAll } from '../../../src/engine/evaluate.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { familiesFor } from '../../../src/models/registry.ts';
import { packModel, unpackModel } from '../../../src/params/model-codec.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { dataOf, people, specOf } from './people.ts';
import { watched } from './sentences.ts';

afterAll(releaseIdleSessions);

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

it.each(familiesFor('tabular_regression').map(({ name }) => name))(
  'numbers far from zero are learnt and answered in their own unit by %s',
  async (family) => {
    const data = dataOf('tabular_regression', people(2000));
    const { model, metrics } = await trainTrial(specOf('tabular_regression', family, data), watched());
    expect(metrics['rmse']).toBeLessThan(120); // of a standard deviation of some 230
    const first = await createEncoder(model.features).prepare(data.valid.inputs.slice(0, 1));
    const answers = await answerAll(model.onnx, first, 1);
    const batch = { outputs: [answers.data as Float32Array], members: [unweighted(1)], rows: 1 };
    const answer = Number(regression.answers([], 'best').answer(batch, 0));
    expect(Math.abs(answer - 1_000_480)).toBeLessThan(1000);
  },
);
