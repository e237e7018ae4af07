import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GrowingTeam, Offer, ShareSums, Transport } from '../../../../src/domain/joint-training.ts';
import { sharedFamilyNames } from '../../../../src/models/registry.ts';
import { type Logger, silentLogger } from '../../../../src/runtime/logger.ts';
import { basisOf } from '../../../../src/training/joint/basis.ts';
import { FolderLead, FolderTransport } from '../../../../src/training/joint/folder.ts';
import { pauseBetweenSums } from '../../../../src/training/joint/pause.ts';
import { joinTraining } from '../../../../src/training/joint/shares.ts';
import { TransportTeam } from '../../../../src/training/joint/team.ts';
import { trainTrial } from '../../../../src/training/train.ts';
import { LeadingForest } from '../../../../src/trees/joint/lead.ts';
import { createObjective, type ForestRows } from '../../../../src/trees/objective.ts';
import { type BoostingSettings, boostingSettings } from '../../../../src/trees/settings.ts';
import type { Tree } from '../../../../src/trees/tree.ts';
import { boosterOf, followRows, MemoryLead, MemoryTransport } from '../../../support/forest-workers.ts';
import { trainForest } from '../../../support/train-forest.ts';
import { dataOf, people, specOf } from '../../models/people.ts';
import { watched } from '../../models/sentences.ts';
import { mixedTable } from '../../trees/tables.ts';

const kinds = [
  { objective: 'squared_error', rowShare: 0.7, columnShare: 0.6 },
  { objective: 'absolute_error', leavesAtOnce: 3 },
  { objective: 'log_loss', classes: 2, rowShare: 0.5 },
  { objective: 'log_loss', classes: 3, maxDepth: 4 },
] as const;
type ForestKind = (typeof kinds)[number];

const rowsOf = (kind: ForestKind, rows = 900): ForestRows =>
  mixedTable(rows, { classes: 'classes' in kind ? kind.classes : 0 });
const settingsOf = (kind: ForestKind): BoostingSettings => boostingSettings({ maxLeaves: 12, seed: 3, ...kind });

const nobody: Transport = { waiting: async () => [], offer: async () => undefined, collect: async () => [] };
const always = {
  pays: true,
  isSpent: () => false,
  ...{ addAlone: () => undefined, addTogether: () => undefined, addDropped: () => undefined },
};

interface Led {
  near?: Transport;
  far?: Transport;
  rounds?: number;
  logger?: Logger;
  beforeRound?(round: number): Promise<void> | void;
}

/** The trees of a leading worker and of what others there are. */
async function lead(kind: ForestKind, { near = nobody, far = nobody, rounds = 4, logger, beforeRound }: Led) {
  const [rows, settings] = [rowsOf(kind), settingsOf(kind)];
  const show = async (): Promise<void> => undefined;
  const team = new TransportTeam({ near, far, show, lastRound: 0, logger: logger ?? silentLogger, minSumsMs: 60_000 });
  const booster = boosterOf(rows, settings);
  const all = { rows: rows.targets.values.length, ...createObjective(settings, rows.targets) };
  const leading = new LeadingForest({ booster, team, basis: 'rows', payoff: always, ...all });
  for (let round = 0; round < rounds; round++) {
    await beforeRound?.(round);
    await leading.grow({ epoch: 0, epochs: 1, step: round });
  }
  return booster.forest.trees;
}

const treesAlone = async (kind: ForestKind, rounds = 4): Promise<readonly Tree[]> =>
  (await trainForest(rowsOf(kind), { settings: settingsOf(kind), rounds })).trees;

/** Leads with these workers in memory. */
async function leadWith(leads: readonly MemoryLead[], kind: ForestKind, led: Led = {}) {
  const near = new MemoryTransport();
  near.leads.push(...leads);
  const others = leads.map((each) => followRows(rowsOf(kind), settingsOf(kind), each));
  const trees = await lead(kind, { near, ...led });
  near.end();
  await Promise.all(others);
  return { trees, offers: near.offers };
}

const seatsOf = (offers: readonly Offer[]): number[] => offers.map(({ round: { seats } }) => seats);

describe('a forest that several workers grow', () => {
  it.each(kinds.flatMap((kind) => [2, 3, 4].map((count) => ({ kind, count }))))(
    'through files is that of one, bit for bit: $count workers, $kind',
    async ({ kind, count }) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'rafiki-rounds-'));
      const near = new FolderTransport(folder, silentLogger, pauseBetweenSums);
      const speeds: number[] = [];
      const onTrained = async (_round: number, speed: number): Promise<void> => void speeds.push(speed);
      const others = Array.from({ length: count - 1 }, (_, i) =>
        followRows(
          rowsOf(kind),
          settingsOf(kind),
          new FolderLead({ folder, processId: 11 + i, onTrained, pause: pauseBetweenSums }),
        ),
      );
      await expect.poll(async () => (await near.waiting()).length, { timeout: 60_000 }).toBe(count - 1);
      const trees = await lead(kind, { near });
      rmSync(folder, { recursive: true });
      await Promise.all(others);
      expect(trees).toEqual(await treesAlone(kind));
      expect(speeds.length).toBe(4 * (count - 1)); // once a round of trees
      expect(Math.min(...speeds)).toBeGreaterThan(0);
    },
  );

  it.each(kinds)('has an exchange for each split but the last, and offers all trees once: %o', async (kind) => {
    const { trees, offers } = await leadWith([new MemoryLead(11), new MemoryLead(12)], kind);
    expect(trees).toEqual(await treesAlone(kind));
    expect(seatsOf(offers)).toEqual(offers.map(() => 3));
    expect(offers.map(({ weights }) => weights.kind)).toEqual(['trees', ...offers.slice(1).map(() => 'sums')]);
    expect(offers.length).toBeLessThanOrEqual(1 + trees.length * (11 + 4));
  });

  it.each(kinds)('loses nothing with a worker that falls silent in the middle of a tree: %o', async (kind) => {
    for (const last of [1, 5, 16]) {
      const told: unknown[] = [];
      const silent = new MemoryLead(12, (sent, count) => (count <= last ? sent : null));
      const { trees, offers } = await leadWith([new MemoryLead(11), silent], kind, { logger: telling(told) });
      expect(trees).toEqual(await treesAlone(kind));
      expect(told[0]).toEqual(expect.objectContaining({ processes: [12] }));
      expect(told).toHaveLength(4); // it waits again, and is asked again, but not for ever
      expect(seatsOf(offers).at(-1)).toBe(2);
    }
  });

  it('takes a worker in again that was late once', async () => {
    const [kind] = kinds;
    const late = new MemoryLead(12, (sent, count) => (count === 5 ? null : sent));
    const { trees, offers } = await leadWith([new MemoryLead(11), late], kind);
    expect(trees).toEqual(await treesAlone(kind));
    expect(offers.filter(({ weights }) => weights.kind === 'trees').length).toBe(2);
    expect(seatsOf(offers).at(-1)).toBe(3);
  });

  it.each<[string, (sent: ShareSums) => Partial<Record<keyof ShareSums, unknown>>]>([
    ['a sum that is no number', ({ sums }) => ({ sums: sums.with(3, Number.NaN) })],
    ['an infinite sum', ({ sums }) => ({ sums: sums.with(0, Number.NEGATIVE_INFINITY) })],
    ['a negative second derivative', ({ sums }) => ({ sums: sums.with(1, -1) })],
    ['half a row', ({ sums }) => ({ sums: sums.with(3, 0.5) })],
    ['more than its rows can have', ({ sums, rows }) => ({ sums: sums.with(3, rows * 2 ** 30 + 1) })],
    ['too few sums', ({ sums }) => ({ sums: sums.slice(1) })],
    ['none', () => ({ sums: new Float64Array(0) })],
    ['more rows than it was given', () => ({ rows: 1e12 })],
    ['no number of rows', () => ({ rows: '300' })],
    ['no time', () => ({ seconds: Number.NaN })],
  ])('is the same without a worker that sends %s, which is asked no more', async (_what, wrong) => {
    const [kind] = kinds;
    const told: unknown[] = [];
    const damaged = new MemoryLead(12, (sent, count) =>
      count === 5 ? ({ ...sent, ...wrong(sent) } as ShareSums) : sent,
    );
    const { trees, offers } = await leadWith([new MemoryLead(11), damaged], kind, { logger: telling(told) });
    expect(trees).toEqual(await treesAlone(kind));
    expect(told[0]).toEqual(expect.objectContaining({ process: 12, fault: expect.any(String) }));
    expect(seatsOf(offers)).toEqual(offers.map((_, i) => (i < 5 ? 3 : 2)));
    expect(offers[5]?.processIds).toEqual([11]);
  });

  it('is the same without a worker that sends a negative weight for a median', async () => {
    const kind = kinds[1];
    const told: unknown[] = [];
    const isOfMedians = ({ sums }: ShareSums): boolean => sums.length === 12 * 256; // of so many leaves
    const damaged = new MemoryLead(12, (sent) => (isOfMedians(sent) ? { ...sent, sums: sent.sums.with(0, -1) } : sent));
    const { trees } = await leadWith([new MemoryLead(11), damaged], kind, { logger: telling(told) });
    expect(trees).toEqual(await treesAlone(kind));
    expect(told[0]).toEqual(expect.objectContaining({ process: 12, fault: expect.stringContaining('negative') }));
  });

  it.each(kinds)('takes workers in that join in the middle: %o', async (kind) => {
    const near = new MemoryTransport();
    const others: Promise<void>[] = [];
    const trees = await lead(kind, {
      near,
      rounds: 5,
      beforeRound(round) {
        if (round !== 1 && round !== 3) return;
        const joining = new MemoryLead(10 + round);
        near.leads.push(joining);
        others.push(followRows(rowsOf(kind), settingsOf(kind), joining));
      },
    });
    near.end();
    await Promise.all(others);
    expect(trees).toEqual(await treesAlone(kind, 5));
    expect(new Set(seatsOf(near.offers))).toEqual(new Set([2, 3]));
  });

  it('has workers here and on other machines', async () => {
    const [kind] = kinds;
    const far = new MemoryTransport();
    const other = new MemoryLead(21);
    far.leads.push(other);
    const following = followRows(rowsOf(kind), settingsOf(kind), other);
    const { trees, offers } = await leadWith([new MemoryLead(11)], kind, { far });
    far.end();
    await following;
    expect(trees).toEqual(await treesAlone(kind));
    expect(offers[0]?.processIds).toEqual([11, 21]);
    expect(far.offers.length).toBe(offers.length);
  });
});

describe('a trial of a forest with several workers', () => {
  const data = dataOf('tabular_classification', people(1200));
  const spec = specOf('tabular_classification', 'gradient_boosting', data, { epochs: 3 });
  const show = async (): Promise<void> => undefined;
  const teamWith = (near: Transport): GrowingTeam => ({
    team: new TransportTeam({ near, far: nobody, show, lastRound: 0, logger: silentLogger }),
    basis: basisOf(spec),
  });

  it('has the model that one worker trains', async () => {
    const near = new MemoryTransport();
    near.leads.push(new MemoryLead(11), new MemoryLead(12));
    const others = near.leads.map((each) => joinTraining({ ...spec, noiseSeed: each.processId }, each, basisOf(spec)));
    const growing = teamWith(near);
    const together = await trainTrial(spec, { ...watched(), growing });
    near.end();
    await Promise.all(others);
    const alone = await trainTrial(spec, watched());
    expect(Buffer.compare(together.model.onnx, alone.model.onnx)).toBe(0);
    expect(together.score).toBe(alone.score);
    expect(near.offers[0]).toMatchObject({ round: { seats: 3, batches: 1 }, processIds: [11, 12] });
  });

  it('continues from a checkpoint with workers that have more trees than it', async () => {
    const near = new MemoryTransport();
    const other = new MemoryLead(11);
    near.leads.push(other);
    const joined = joinTraining(spec, other, basisOf(spec));
    const first = watched();
    const whole = await trainTrial(spec, { ...first, growing: teamWith(near) });
    const begun = near.offers.length;
    const team = new TransportTeam({ near, far: nobody, show, lastRound: begun, logger: silentLogger });
    const hooks = { ...watched(first.checkpoints[4]), growing: { ...teamWith(near), team } };
    const again = await trainTrial(spec, hooks);
    near.end();
    await joined;
    expect(Buffer.compare(again.model.onnx, whole.model.onnx)).toBe(0);
    expect(near.offers[begun]?.weights.kind).toBe('trees');
  });

  it('is joined by no worker with other rows, and by none of a family of one worker', async () => {
    const near = new MemoryTransport();
    const other = new MemoryLead(11);
    near.leads.push(other);
    const joined = joinTraining(spec, other, 'other rows');
    const refused = expect(joined).rejects.toThrow('this worker has other rows than the one that leads the trial');
    other.begin({ ...firstRound, seat: 1 });
    await refused;
    await expect(joinTraining({ ...spec, family: 'linear_text' }, other, basisOf(spec))).rejects.toThrow('one worker');
    expect(sharedFamilyNames()).toContain('gradient_boosting');
    expect(sharedFamilyNames()).not.toContain('linear_text');
  });
});

const firstRound = {
  round: { number: 1, epoch: 0, epochs: 1, step: 0, batches: 1, basis: 'rows', seats: 2 },
  weights: { kind: 'trees', trees: new Float64Array(0) } as const,
};

const telling = (told: unknown[]): Logger => {
  const tell = (about: unknown): number => told.push(about);
  return { ...silentLogger, info: tell, warn: tell } as unknown as Logger;
};
