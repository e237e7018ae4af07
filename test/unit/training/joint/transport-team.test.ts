import { describe, expect, it } from 'vitest';
import type {
  ChangeForm,
  Offer,
  Round,
  SentChange,
  Transport,
  WaitingWorker,
} from '../../../../src/domain/joint-training.ts';
import { type Logger, silentLogger } from '../../../../src/runtime/logger.ts';
import { type ShownRound, TransportTeam } from '../../../../src/training/joint/team.ts';

const round = (number: number, seats: number): Round => ({
  ...{ number, seats, epoch: 0, epochs: 1, step: 0, batches: 4, basis: 'rows' },
});
const all = { kind: 'all', values: new Float32Array(1) } as const;
const form: ChangeForm = { weights: 1, uses: 0, maxRows: 8 };
const changeOf = (processId: number): SentChange => ({
  ...{ processId, halves: Uint16Array.of(1), uses: new Uint16Array(0), rows: 8, seconds: 1 },
});

/** Workers that answer at once; a test says which of them wait. */
class Answering implements Transport {
  workers: WaitingWorker[] = [];
  silent = new Set<number>();
  /** What is wrong with the change of a worker. */
  wrong = new Map<number, Partial<Record<keyof SentChange, unknown>>>();
  readonly offers: Offer[] = [];

  async waiting(): Promise<WaitingWorker[]> {
    return this.workers;
  }

  async offer(offer: Offer): Promise<void> {
    this.offers.push(offer);
  }

  async collect({ number, processIds }: { number: number; processIds: readonly number[] }): Promise<SentChange[]> {
    const sent = processIds.filter((processId) => !this.silent.has(processId));
    for (const worker of this.workers) if (sent.includes(worker.processId)) worker.has = worker.after = number;
    return sent.map((processId) => ({ ...changeOf(processId), ...this.wrong.get(processId) }) as SentChange);
  }
}

function teamOf({ lastRound = 0, logger = silentLogger } = {}): {
  team: TransportTeam;
  near: Answering;
  far: Answering;
  shown: ShownRound[];
} {
  const [near, far, shown] = [new Answering(), new Answering(), [] as ShownRound[]];
  const show = async (each: ShownRound): Promise<void> => void shown.push(each);
  return { team: new TransportTeam({ near, far, show, lastRound, logger }), near, far, shown };
}
const waits = (processId: number): WaitingWorker => ({ processId, has: null, after: 0 });

describe('the team of a trial', () => {
  it('has the workers of this machine, then those of others, each way told the seats of all', async () => {
    const { team, near, far } = teamOf();
    near.workers = [waits(12)];
    far.workers = [waits(5), waits(6)];
    expect(await team.next()).toEqual({ seats: 4, needAll: true });
    await team.begin(round(1, 3), all, null);
    expect([near.offers[0]?.processIds, far.offers[0]?.processIds]).toEqual([
      [12, 5],
      [12, 5],
    ]);
    expect((await team.collect(round(1, 3), form)).length).toBe(2);
  });

  it('needs all weights if one has not those of the last round', async () => {
    const { team, near } = teamOf();
    near.workers = [waits(12)];
    await team.next();
    await team.begin(round(1, 2), all, null);
    await team.collect(round(1, 2), form);
    expect(await team.next()).toEqual({ seats: 2, needAll: false });
    near.workers.push(waits(13));
    expect(await team.next()).toEqual({ seats: 3, needAll: true });
  });

  it('offers no further round to one that has not answered, until it waits for a later one', async () => {
    const { team, near } = teamOf();
    const dead = waits(12);
    near.workers = [dead];
    near.silent.add(12);
    await team.next();
    await team.begin(round(1, 2), all, null);
    expect(await team.collect(round(1, 2), form)).toEqual([]);
    expect((await team.next()).seats).toBe(1);
    dead.after = 1;
    expect(await team.next()).toEqual({ seats: 2, needAll: true });
  });

  it('shows rounds of this machine now and then; those of others are in the database anyway', async () => {
    const { team, near, far, shown } = teamOf();
    near.workers = [waits(12)];
    for (let number = 1; number <= 3; number++) {
      await team.next();
      await team.begin(round(number, 2), all, null);
      await team.collect(round(number, 2), form);
    }
    expect(shown.map(({ round: { number } }) => number)).toEqual([1]);
    expect(far.offers).toEqual([]);
  });

  it('goes on from the rounds of the worker that led before a pause, with all weights', async () => {
    const { team, far } = teamOf({ lastRound: 40 });
    expect(team.lastRound).toBe(40);
    far.workers = [{ processId: 5, has: 40, after: 40 }];
    expect(await team.next()).toEqual({ seats: 2, needAll: true });
    await team.begin(round(41, 2), all, null);
    expect(far.offers.map(({ round: { number } }) => number)).toEqual([41]);
  });

  it.each<[string, Partial<Record<keyof SentChange, unknown>>]>([
    ['a weight that is no number', { halves: Uint16Array.of(0x7e00) }],
    ['an infinite weight', { halves: Uint16Array.of(0xfc00) }],
    ['too few weights', { halves: new Uint16Array(0) }],
    ['uses of another network', { uses: Uint16Array.of(1) }],
    ['more rows than it was given', { rows: 1e12 }],
    ['fewer than no rows', { rows: -3 }],
    ['no number of rows', { rows: '8' }],
    ['no time', { seconds: 0 }],
    ['more time than has passed', { seconds: 1e9 }],
    ['a text in the place of a time', { seconds: '1' }],
  ])('goes on without the share of a worker that sends %s, and says so', async (_what, wrong) => {
    const told: unknown[] = [];
    const { team, near } = teamOf({ logger: telling(told) });
    near.workers = [waits(12), waits(13)];
    near.wrong.set(12, wrong);
    await team.next();
    await team.begin(round(1, 3), all, null);
    expect(await team.collect(round(1, 3), form)).toEqual([changeOf(13)]);
    expect(told).toEqual([expect.objectContaining({ process: 12, fault: expect.any(String) })]);
    expect((await team.next()).seats).toBe(3); // its next one may be right
  });

  it.each<[string, Partial<Record<keyof WaitingWorker, unknown>>]>([
    ['a round that nobody has announced', { after: 1e9 }],
    ['no round', { after: 'x' }],
    ['one before that which it has trained', { has: 3 }],
  ])('has no worker that waits for %s, and says so once', async (_what, wrong) => {
    const told: unknown[] = [];
    const { team, near } = teamOf({ logger: telling(told) });
    near.workers = [{ ...waits(12), ...wrong } as WaitingWorker];
    for (let looks = 0; looks < 3; looks++) expect((await team.next()).seats).toBe(1);
    expect(told).toHaveLength(1);
  });
});

const telling = (told: unknown[]): Logger =>
  ({ ...silentLogger, info: () => undefined, warn: (about: unknown) => told.push(about) }) as unknown as Logger;
