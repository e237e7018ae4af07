import { afterAll, describe, expect, it } from 'vitest';
import { classification } from '../../../src/domain/kinds/classification.ts';
import type { Ballots } from '../../../src/domain/kinds/kind.ts';
import { type RawInput, tasks } from '../../../src/domain/task.ts';
import { answerAll } from '../../../src/engine/evaluate.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { familiesFor, familyByName, isNetwork } from '../../../src/models/registry.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { hasReviews, reviews } from './reviews.ts';
import { memorable, specOf, watched } from './sentences.ts';

/** No regularisation, and epochs enough: 64 rows must be learnt by heart. */
const byHeart = {
  dropout: 0,
  word_dropout: 0,
  character_dropout: 0,
  label_smoothing: 0,
  weight_decay: 0,
  min_texts: 1,
  batch: 16,
  epochs: 20,
};

afterAll(releaseIdleSessions);

describe.each(familiesFor('text_classification').map((family) => [family.name, family] as const))(
  '%s',
  (name, family) => {
    it('memorises 64 rows', async () => {
      const hooks = watched();
      const result = await trainTrial(specOf(name, { ...byHeart, learning_rate: 0.01, c: 100 }), hooks);
      expect(result.score).toBe(1);
      expect(result.state).toBe('completed');
      expect(hooks.reports.at(-1)?.loss).toBeLessThan(hooks.reports[0]?.loss ?? 0);
    });

    it.skipIf(!hasReviews)('memorises 64 real reviews', async () => {
      const small = { dim: 32, filters: 64, hidden: 64, learning_rate: 0.01 };
      const result = await trainTrial(
        specOf(name, { ...byHeart, ...small, c: 100, epochs: 14 }, reviews(64)),
        watched(),
      );
      expect(result.score).toBeGreaterThanOrEqual(0.99);
    });

    it('gives the same result for the same spec', async () => {
      const run = () => trainTrial(specOf(name, { epochs: 2, batch: 16 }), watched());
      const [first, second] = [await run(), await run()];
      expect(Buffer.compare(first.model.onnx, second.model.onnx)).toBe(0);
    });

    it('resumed from any checkpoint gives bit-identical weights', async () => {
      const spec = specOf(name, { epochs: 3, batch: 4, learning_rate: 0.01 }, memorable(72)); // 18 steps: two runs an epoch
      const undisturbed = watched();
      const whole = await trainTrial(spec, undisturbed);
      if (isNetwork(family)) expect(undisturbed.checkpoints).toHaveLength(6);
      for (const checkpoint of undisturbed.checkpoints) {
        const resumed = await trainTrial(spec, watched(checkpoint));
        expect(Buffer.compare(resumed.model.onnx, whole.model.onnx)).toBe(0);
        expect(resumed.predictions).toEqual(whole.predictions);
        expect(resumed.score).toBe(whole.score);
      }
    });

    it('reports each epoch and stops on request, with the best epoch so far', async () => {
      const hooks = { ...watched(), onReport: async () => 'stop' as const };
      const result = await trainTrial(specOf(name, { epochs: 5, batch: 16 }), hooks);
      expect(result).toMatchObject({ state: 'stopped', epochs: 1 });
    });

    it('answers from the exported file as validation did, whatever shares the batch', async () => {
      const spec = specOf(name, { epochs: 2, batch: 16 });
      const { model, predictions } = await trainTrial(spec, watched());
      const encoder = createEncoder(model.features);
      const { inputs } = spec.data.valid;
      const ballots = async (some: readonly RawInput[]): Promise<Ballots> =>
        classification.ballots(await answerAll(model.onnx, await encoder.prepare(some), 1));
      expect(await ballots(inputs)).toEqual(predictions);
      const alone = await Promise.all(inputs.slice(0, 8).map(async (input) => (await ballots([input]))[0]));
      expect(alone).toEqual(Array.from(predictions.subarray(0, 8)));
    });

    it('learns a plain rule from 40 rows with its initial knobs', async () => {
      const inputs = Array.from({ length: 40 }, (_, i) => `the ${i % 2 ? 'good' : 'bad'} film number${i}`);
      const examples = { inputs, labels: Int32Array.from(inputs, (_, i) => i % 2) };
      const data = { classes: ['bad', 'good'], train: examples, valid: examples };
      expect((await trainTrial(specOf(name, {}, data), watched())).score).toBe(1);
    });

    it('trains on four rows and on rows without a single word', async () => {
      const examples = { inputs: ['', '🙂', 'x'.repeat(1_000_000), ' \n'], labels: Int32Array.of(0, 1, 0, 1) };
      const data = { classes: ['no', 'yes'], train: examples, valid: examples };
      const { predictions } = await trainTrial(specOf(name, { epochs: 1 }, data), watched());
      expect(predictions).toHaveLength(4);
    });

    it.runIf(isNetwork(family))('names step and knobs when training diverges', async () => {
      const diverging = trainTrial(specOf(name, { epochs: 3, learning_rate: 1e30 }), watched());
      await expect(diverging).rejects.toMatchObject({
        sqlstate: '22003',
        detail: expect.stringMatching(/step \d+ with .*learningRate/),
      });
    });

    it('has knobs of each of the paper’s groups, and initial values inside their domains', () => {
      const groups = new Set<string>();
      for (const { group, initial, domain } of family.space('sentiment').knobs()) {
        groups.add(group);
        if (domain.kind === 'categorical') expect(domain.list).toContain(initial);
        else expect(Number(initial) >= domain.min && Number(initial) <= domain.max).toBe(true);
      }
      expect([...groups].sort()).toEqual(['architecture', 'preprocessing', 'training']);
    });
  },
);

describe('registry', () => {
  it('has a family for every task', () => {
    for (const task of tasks) expect(familiesFor(task).length).toBeGreaterThan(0);
  });

  it('lists the families in the error for an unknown one', () => {
    expect(() => familyByName('transformer')).toThrow(
      expect.objectContaining({ sqlstate: '22023', hint: expect.stringContaining('fasttext') }),
    );
  });
});
