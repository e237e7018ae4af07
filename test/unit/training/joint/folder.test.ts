import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Round, Transport, WeightChange } from '../../../../src/domain/joint-training.ts';
import { releaseIdleSessions } from '../../../../src/engine/session.ts';
import { type Logger, silentLogger } from '../../../../src/runtime/logger.ts';
import { FolderLead, FolderTransport, removeWorkerFile } from '../../../../src/training/joint/folder.ts';
import { readRoundFile, readRoundHead, writeRoundFile } from '../../../../src/training/joint/round-file.ts';
import { trainShares } from '../../../../src/training/joint/shares.ts';
import { type ShownRound, TransportTeam } from '../../../../src/training/joint/team.ts';
import { trainTrial } from '../../../../src/training/train.ts';
import { memorable, specOf, watched } from '../../models/sentences.ts';

let folder: string;
let near: FolderTransport;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rafiki-rounds-'));
  near = new FolderTransport(folder, silentLogger);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
afterAll(releaseIdleSessions);

const round = (number: number, seats = 2): Round => ({
  ...{ number, seats, epoch: 0, epochs: 1, step: 0, batches: 4, basis: 'rows' },
});
const weights = { kind: 'all', values: Float32Array.of(1, 2, 3) } as const;
const nextWeights = { kind: 'change', halves: Uint16Array.of(1, 2, 3) } as const;
const change: WeightChange = { halves: Uint16Array.of(7, 8, 9), uses: Uint16Array.of(4), rows: 32, seconds: 2 };
const offer = (number: number, processIds: number[]): Promise<void> =>
  near.offer({
    round: round(number, processIds.length + 1),
    processIds,
    weights: number === 1 ? weights : nextWeights,
  });
const leadOf = (processId: number): FolderLead =>
  new FolderLead({ folder, processId, onTrained: async () => undefined });
/** A worker that waits for its first round: `next` does not return before there is one. */
async function waitingLead(processId: number): Promise<{ lead: FolderLead; next: ReturnType<FolderLead['next']> }> {
  const lead = leadOf(processId);
  const next = lead.next();
  await isWaiting(processId, 0);
  return { lead, next };
}
async function isWaiting(processId: number, after: number): Promise<void> {
  await expect
    .poll(() => near.waiting(), { timeout: 60_000 })
    .toContainEqual(expect.objectContaining({ processId, after }));
}

describe('the folder of a trial', () => {
  it('carries a round and what a worker learnt in it', async () => {
    const { lead, next } = await waitingLead(12);
    expect(await near.waiting()).toEqual([{ processId: 12, has: null, after: 0 }]);
    await offer(1, [11, 12]);
    expect(await next).toEqual({ round: round(1, 3), seat: 2, weights });
    await lead.send(round(1), change);
    expect(await near.waiting()).toEqual([{ processId: 12, has: 1, after: 1 }]);
    const arrived = await near.collect({ number: 1, processIds: [11, 12], waitMs: 0 });
    expect(arrived).toEqual([{ processId: 12, ...change }]);
    expect(await near.collect({ number: 2, processIds: [12], waitMs: 0 })).toEqual([]);
  });

  it('has one file for each worker, which nobody else can read', async () => {
    const { lead, next } = await waitingLead(12);
    for (let number = 1; number <= 3; number++) {
      await offer(number, [12]);
      await (number === 1 ? next : lead.next());
      await lead.send(round(number), change);
    }
    expect(readdirSync(folder).sort()).toEqual(['round', 'worker-12']);
    for (const name of readdirSync(folder)) expect(statSync(path.join(folder, name)).mode & 0o777).toBe(0o600);
  });

  it('lets a worker that missed its round wait for the next', async () => {
    const lead = leadOf(12);
    await offer(1, [12]);
    await lead.next();
    await lead.send(round(1), change);
    await offer(2, [12]); // it is paused meanwhile
    await offer(3, []);
    const next = lead.next();
    await isWaiting(12, 3);
    expect(await near.waiting()).toEqual([{ processId: 12, has: 1, after: 3 }]);
    await offer(4, [12]);
    expect((await next)?.round.number).toBe(4);
  });

  it('lets one that has joined again wait for a round with all weights', async () => {
    await offer(2, [12]); // before it left
    const begun = leadOf(12).next();
    await isWaiting(12, 2);
    await near.offer({ round: round(4), processIds: [12], weights });
    expect((await begun)?.round.number).toBe(4);
  });

  it('ends with the trial', async () => {
    const { next } = await waitingLead(12);
    rmSync(folder, { recursive: true });
    expect(await next).toBeNull();
    await leadOf(13).send(round(1), change); // too late, and no error
    expect(await near.waiting()).toEqual([]);
    await offer(2, [12]); // the trial goes on alone
  });

  it('waits for no worker that has left', async () => {
    const { next } = await waitingLead(12);
    await offer(1, [12]);
    await next;
    removeWorkerFile(folder, 12);
    removeWorkerFile(folder, 12); // nor is that an error
    expect(await near.collect({ number: 1, processIds: [12], waitMs: 1e9 })).toEqual([]);
    expect(await near.waiting()).toEqual([]);
  });

  it('has no work for a worker that has no seat: it says once that it waits, and reads no sums', async () => {
    let goOn: () => void = () => undefined;
    const pause = (): Promise<void> =>
      new Promise((resolve) => {
        goOn = resolve;
      });
    const lead = new FolderLead({ folder, processId: 12, onTrained: async () => undefined, pause });
    const next = lead.next();
    const look = async (): Promise<number> => {
      goOn();
      await new Promise((resolve) => setImmediate(resolve));
      return statSync(path.join(folder, 'worker-12')).ino;
    };
    const offerOf = (number: number, processIds: number[], kind: 'trees' | 'sums'): Promise<void> => {
      const vector = Float64Array.of(1, 2, number);
      const given = kind === 'trees' ? { kind, trees: vector } : { kind, sums: vector };
      return near.offer({ round: round(number), processIds, weights: given });
    };
    await offerOf(1, [11], 'trees');
    const file = await look();
    expect(await near.waiting()).toEqual([{ processId: 12, has: null, after: 1 }]);
    for (let number = 2; number < 6; number++) {
      await offerOf(number, [11], 'sums');
      truncateSync(path.join(folder, 'round'), statSync(path.join(folder, 'round')).size - 8);
      expect(await look()).toBe(file);
    }
    await offerOf(6, [12], 'trees'); // it is paused meanwhile, and misses it
    await offerOf(7, [11], 'trees');
    await offerOf(8, [11], 'sums');
    expect(await look()).not.toBe(file);
    expect(await near.waiting()).toEqual([{ processId: 12, has: null, after: 8 }]);
    await offerOf(9, [12], 'trees');
    await look();
    expect(await next).toMatchObject({ seat: 1, round: { number: 9 }, weights: { trees: Float64Array.of(1, 2, 9) } });
  });

  it.each<[string, (file: string) => unknown]>([
    ['a text', (file) => writeFileSync(file, 'notes of somebody')],
    ['an empty file', (file) => writeFileSync(file, '')],
    ['a head that is no JSON', (file) => writeFileSync(file, Buffer.of(2, 0, 0, 0, 0x7b, 0x7b))],
    ['a folder', (file) => mkdirSync(file)],
    ['a link', (file) => symlinkSync('/etc/hostname', file)],
    ['a pipe, which nobody writes to', (file) => execFileSync('mkfifo', [file])],
  ])('ignores %s in the place of a worker, and says so once', async (_what, put) => {
    put(path.join(folder, 'worker-9'));
    let warnings = 0;
    const logger = { ...silentLogger, warn: () => warnings++ } as unknown as Logger;
    const warning = new FolderTransport(folder, logger);
    const { next } = await waitingLead(12);
    for (let looks = 0; looks < 2; looks++)
      expect(await warning.waiting()).toEqual([{ processId: 12, has: null, after: 0 }]);
    expect(await warning.collect({ number: 1, processIds: [9], waitMs: 0 })).toEqual([]);
    expect(warnings).toBe(1);
    rmSync(folder, { recursive: true });
    await next;
  });

  it('goes on without the others if its own file cannot be written', async () => {
    mkdirSync(path.join(folder, 'round'));
    execFileSync('mkfifo', [path.join(folder, 'round.tmp')]);
    await offer(1, [12]);
  });

  it('ignores what a killed worker has not finished', async () => {
    writeFileSync(path.join(folder, 'worker-12.tmp'), 'half a');
    expect(await near.waiting()).toEqual([]);
  });
});

describe('a file of a round', () => {
  it('gives back head and vectors', () => {
    const file = path.join(folder, 'file');
    const vectors = [Float32Array.of(1.5, -2), Uint16Array.of(65535), new Uint16Array(0)];
    writeRoundFile(file, { head: { note: 'ä' }, vectors });
    expect(readRoundFile(file)).toEqual({ head: { note: 'ä' }, vectors });
    expect(readRoundHead(path.join(folder, 'none'))).toBeUndefined();
  });

  it('of another length than its head says is an error, before memory is taken for it', () => {
    const file = path.join(folder, 'file');
    const head = Buffer.from(JSON.stringify({ head: {}, vectors: [{ type: 'single', length: 1e12 }] }));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(head.length);
    writeFileSync(file, Buffer.concat([size, head]));
    expect(() => readRoundFile(file)).toThrow(
      expect.objectContaining({ detail: expect.stringContaining('another length') }),
    );
  });

  it.each([2, 40, 70])('that ends after %i bytes is an error', (bytes) => {
    const file = path.join(folder, 'file');
    writeRoundFile(file, { head: {}, vectors: [new Float32Array(8)] });
    truncateSync(file, bytes);
    expect(() => readRoundFile(file)).toThrow('a file that workers of this machine exchange is damaged');
  });
});

describe('a trial whose workers exchange files', () => {
  it('learns what it is shown', async () => {
    const spec = specOf('temporal_cnn', { epochs: 6, batch: 8 }, memorable(64));
    const seats: number[] = [];
    const show = async ({ round }: ShownRound): Promise<void> => void seats.push(round.seats);
    const team = new TransportTeam({ near, far: nobody, show, lastRound: 0, logger: silentLogger });
    const others = [11, 12].map((processId) => trainShares({ ...spec, noiseSeed: processId }, leadOf(processId)));
    await expect.poll(async () => (await near.waiting()).length, { timeout: 60_000 }).toBe(2);
    const result = await trainTrial(spec, { ...watched(), team });
    rmSync(folder, { recursive: true });
    await Promise.all(others);
    expect(seats[0]).toBe(3);
    expect(result.score).toBeGreaterThan(0.9);
  });
});

const nobody: Transport = { waiting: async () => [], offer: async () => undefined, collect: async () => [] };
