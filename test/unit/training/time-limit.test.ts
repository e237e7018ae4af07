import { afterAll, describe, expect, it } from 'vitest';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { memorable, specOf, watched } from '../models/sentences.ts';

const spec = specOf('fasttext', { epochs: 4, batch: 16 }, memorable(64));

const bounds = { minEpochs: 0.5, maxEpochs: 1 };
const none = { studySeconds: 0, shareSeconds: 0, ...bounds };
const plenty = { studySeconds: 1e6, shareSeconds: 1e6, ...bounds };

afterAll(releaseIdleSessions);

describe('a trial with a time limit', () => {
  it('plans no more epochs than fit, and completes them', async () => {
    const hooks = { ...watched(), timeLeft: () => none };
    expect(await trainTrial(spec, hooks)).toMatchObject({ state: 'completed', epochs: 1 });
    expect(hooks.reports).toMatchObject([{ epoch: 1, epochs: 1 }]);
  });

  it('continues with fewer epochs than planned if time gets short, from a checkpoint too', async () => {
    const times = [plenty];
    const hooks = { ...watched(), timeLeft: () => times.shift() ?? none };
    expect((await trainTrial(spec, hooks)).epochs).toBe(2);
    expect(hooks.reports.map(({ epochs }) => epochs)).toEqual([4, 2]);
    const resumed = { ...watched(hooks.checkpoints.at(-1)), timeLeft: () => none };
    expect((await trainTrial(spec, resumed)).epochs).toBe(2);
  });

  it('may overdraw its share, though not the time of the study, to train its minimum of epochs', async () => {
    const timeLeft = () => ({ ...plenty, shareSeconds: 0 });
    expect(await trainTrial(spec, { ...watched(), timeLeft })).toMatchObject({ state: 'completed', epochs: 2 });
    const short = () => ({ ...timeLeft(), minEpochs: 0 });
    expect(await trainTrial(spec, { ...watched(), timeLeft: short })).toMatchObject({ epochs: 1 });
  });

  it('has more epochs than the recipe if there is time for them, and plans them before the first one', async () => {
    const hooks = { ...watched(), timeLeft: () => ({ ...plenty, maxEpochs: 2 }), epochSeconds: 0.1 };
    expect(await trainTrial(spec, hooks)).toMatchObject({ state: 'completed', epochs: 8 });
    expect(hooks.reports.map(({ epochs }) => epochs)).toEqual(Array(8).fill(8));
    const unmeasured = { ...watched(), timeLeft: () => plenty };
    const planned = { ...watched(), timeLeft: () => plenty, epochSeconds: 0.1 };
    const [a, b] = [await trainTrial(spec, unmeasured), await trainTrial(spec, planned)];
    expect(Buffer.compare(a.model.onnx, b.model.onnx)).toBe(0);
  });

  it('trains to the same bits as one without a limit when there is time enough', async () => {
    const limited = await trainTrial(spec, { ...watched(), timeLeft: () => plenty });
    const free = await trainTrial(spec, watched());
    expect(Buffer.compare(limited.model.onnx, free.model.onnx)).toBe(0);
  });
});
