import { afterAll, describe, expect, it } from 'vitest';
import type { Lead } from '../../../../src/domain/joint-training.ts';
import type { Examples } from '../../../../src/domain/task.ts';
import { releaseIdleSessions } from '../../../../src/engine/session.ts';
import { basisOf } from '../../../../src/training/joint/basis.ts';
import { trainShares } from '../../../../src/training/joint/shares.ts';
import { trainTrial } from '../../../../src/training/train.ts';
import { MemoryTeam } from '../../../support/memory-team.ts';
import { memorable, specOf, watched } from '../../models/sentences.ts';

const spec = specOf('temporal_cnn', { epochs: 6, batch: 8 }, memorable(64));

afterAll(releaseIdleSessions);

describe('a trial of several workers', () => {
  it('of one is trained to the same bits as without a team', async () => {
    const team = new MemoryTeam(spec, 1);
    const joint = await trainTrial(spec, { ...watched(), team });
    const alone = await trainTrial(spec, watched());
    expect(Buffer.compare(joint.model.onnx, alone.model.onnx)).toBe(0);
  });

  it.each([2, 3])('of %i learns what it is shown, each batch trained by one of them', async (seats) => {
    const team = new MemoryTeam(spec, seats);
    const result = await trainTrial(spec, { ...watched(), team });
    await team.end();
    expect(result.score).toBeGreaterThan(0.9);
    const batches = team.rounds.reduce((sum, round) => sum + round.batches, 0);
    expect(batches).toBe(6 * 16); // 16 batches an epoch at least: few rows are trained in smaller ones
  });

  it('learns the rows of all, if each worker holds a shard', async () => {
    const { inputs, labels } = spec.data.train as Examples & { labels: Int32Array };
    const part = (from: number, to: number): Examples => ({
      inputs: inputs.slice(from, to),
      labels: labels.slice(from, to),
    });
    const first = { ...spec.data, train: part(0, 40), valid: part(40, 64) };
    const second = { ...spec.data, train: part(40, 64) };
    const team = new MemoryTeam({ ...spec, data: second, fitTo: first.train }, 2, 0, basisOf({ data: first }));
    const joint = await trainTrial({ ...spec, data: first }, { ...watched(), team });
    await team.end();
    const alone = await trainTrial({ ...spec, data: first }, watched());
    expect(joint.score).toBeGreaterThan(alone.score + 0.3); // of rows that only the other worker holds
  });

  it('goes on when nobody answers in a round', async () => {
    const team = new MemoryTeam(spec, 2);
    team.collect = async () => [];
    const result = await trainTrial(spec, { ...watched(), team });
    await team.end();
    expect(result.state).toBe('completed');
  });

  it('is not joined by a worker that has other rows', async () => {
    const round = { number: 1, epoch: 0, epochs: 6, step: 0, batches: 2, seats: 2, basis: 'of other rows' };
    const lead: Lead = {
      next: async () => ({ round, seat: 1, weights: { kind: 'all', values: new Float32Array(0) } }),
      send: async () => expect.unreachable(),
    };
    await expect(trainShares(spec, lead)).rejects.toMatchObject({
      message: 'this worker has other rows than the one that leads the trial',
    });
  });
});
