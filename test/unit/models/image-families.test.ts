import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSet } from '../../../src/domain/task.ts';
import { predictAll } from '../../../src/engine/evaluate.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { familiesFor } from '../../../src/models/registry.ts';
import { trainTrial } from '../../../src/worker/train.ts';
import { pictureSpec, randomPictures } from './pictures.ts';
import { watched } from './sentences.ts';

let data: DataSet;
beforeAll(async () => {
  data = await randomPictures(64);
});
afterAll(releaseIdleSessions);

describe.each(familiesFor('image_classification').map((family) => [family.name, family] as const))(
  '%s',
  (name, family) => {
    it('learns 64 images by heart', async () => {
      const hooks = watched();
      const result = await trainTrial(pictureSpec(name, { epochs: 20, learning_rate: 0.05 }, data), hooks);
      expect(result.score).toBe(1);
      expect(hooks.reports.at(-1)?.loss).toBeLessThan(0.1);
    });

    it('goes on from any checkpoint to the very bits of an undisturbed run, running averages included', async () => {
      const augmented = { epochs: 2, batch: 4, shift: 2, flip: true, cutout: 4, dropout: 0.2, learning_rate: 0.02 };
      const spec = pictureSpec(name, augmented, await randomPictures(24)); // 12 steps: three runs an epoch
      const undisturbed = watched();
      const whole = await trainTrial(spec, undisturbed);
      expect(undisturbed.checkpoints).toHaveLength(6);
      for (const checkpoint of undisturbed.checkpoints) {
        const resumed = await trainTrial(spec, watched(checkpoint));
        expect(Buffer.compare(resumed.model.onnx, whole.model.onnx)).toBe(0);
        expect(resumed.predictions).toEqual(whole.predictions);
      }
    });

    it('answers from the exported file as validation did, whatever shares the batch', async () => {
      const { model, predictions } = await trainTrial(pictureSpec(name, { epochs: 2 }, data), watched());
      const encoder = createEncoder(model.features);
      const { inputs } = data.valid;
      const alone = await Promise.all(
        inputs.slice(0, 8).map(async (input) => (await predictAll(model.onnx, await encoder.prepare([input]), 1))[0]),
      );
      expect(alone).toEqual(Array.from(predictions.subarray(0, 8)));
    });

    it('has knobs of each of the paper’s groups, and initial values inside their domains', () => {
      const groups = new Set<string>();
      for (const { group, initial, domain } of family.space('image_classification').knobs()) {
        groups.add(group);
        if (domain.kind === 'categorical') expect(domain.list).toContain(initial);
        else expect(Number(initial) >= domain.min && Number(initial) <= domain.max).toBe(true);
      }
      expect([...groups].sort()).toEqual(['architecture', 'preprocessing', 'training']);
    });

    it('refuses texts', async () => {
      const texts = { inputs: ['a', 'b'], labels: Int32Array.of(0, 1) };
      const spec = pictureSpec(name, {}, { classes: ['x', 'y'], train: texts, valid: texts });
      await expect(trainTrial(spec, watched())).rejects.toMatchObject({ hint: expect.stringContaining('bytea') });
    });
  },
);
