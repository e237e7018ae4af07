import { afterAll, describe, expect, it } from 'vitest';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { refitSpec } from '../../../src/training/refit.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { memorable, specOf, watched } from '../models/sentences.ts';

afterAll(releaseIdleSessions);

const spec = specOf('fasttext', { epochs: 4, batch: 16, learning_rate: 0.2 }, memorable(64));

describe('a network that is trained again', () => {
  it('gets all rows, and its features are fitted to them', () => {
    const { data, fitTo, knobs } = refitSpec(spec, { continues: false, keepsFeatures: false });
    expect(data.train.inputs).toEqual([...spec.data.train.inputs, ...spec.data.valid.inputs]);
    expect(data.train.labels).toHaveLength(data.train.inputs.length);
    expect(data.valid).toBe(spec.data.valid);
    expect(fitTo).toBeUndefined();
    expect(knobs).toBe(spec.knobs);
  });

  it('keeps its features, and learns at a lower rate, if it continues from its weights', async () => {
    const again = refitSpec(spec, { continues: true, keepsFeatures: true });
    expect(again.fitTo).toBe(spec.data.train);
    expect(again.knobs['learning_rate']).toBe(0.1);
    const [first, continued] = [await trainTrial(spec, watched()), await trainTrial(again, watched())];
    expect(continued.model.features).toEqual(first.model.features);
  });

  it('has the weights of its last epoch, whatever the scores', async () => {
    const labels = Int32Array.from(spec.data.valid.labels as Int32Array, (label) => (label + 1) % 3); // learning lowers the score
    const unteachable = { ...spec, data: { ...spec.data, valid: { ...spec.data.valid, labels } } };
    const [best, last] = [watched(), watched()];
    const ofBest = await trainTrial(unteachable, best);
    const ofLast = await trainTrial(unteachable, { ...last, keepsLast: true });
    expect(best.reports.map(({ score }) => score)).toEqual(last.reports.map(({ score }) => score));
    expect(ofLast.score).toBe(last.reports.at(-1)?.score);
    expect(ofBest.score).toBeGreaterThan(ofLast.score);
  });
});
