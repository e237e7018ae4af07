import { totalmem } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultModelMemory } from '../../../src/runtime/limited/default-memory.ts';
import { type MemoryEntry, ModelMemory } from '../../../src/serving/devices/model-memory.ts';

/** A tenant that is unloaded immediately, or when the test releases it. */
class Guest implements MemoryEntry {
  readonly name: string;
  readonly bytes: number;
  isIn = false;
  leaving: Promise<void> = Promise.resolve();

  constructor(name: string, bytes: number) {
    this.name = name;
    this.bytes = bytes;
  }

  async unload(): Promise<void> {
    await this.leaving;
    this.isIn = false;
  }
}

function come(memory: ModelMemory, guest: Guest, { costMs = 10, mayEvict = true } = {}): Promise<boolean> {
  const load = async (): Promise<number> => {
    guest.isIn = true;
    return costMs;
  };
  return memory.admit(guest, load, { mayEvict });
}

const guests = (names: string, bytes = 40): Guest[] => [...names].map((name) => new Guest(name, bytes));

/** Until all that can go on has. */
const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

describe('ModelMemory', () => {
  it('unloads the model of least worth: few requests, quickly loaded, large', async () => {
    const memory = new ModelMemory(160);
    const [often, slow, plain] = guests('abc') as [Guest, Guest, Guest];
    const large = new Guest('d', 40);
    await come(memory, often);
    await come(memory, slow, { costMs: 100 });
    await come(memory, plain);
    await come(memory, large);
    memory.used(often, 5);
    memory.used(large, 1);
    await come(memory, new Guest('e', 40));
    expect([often, slow, plain, large].map(({ isIn }) => isIn)).toEqual([true, true, false, true]);
    await come(memory, new Guest('f', 80));
    expect([often, slow].map(({ isIn }) => isIn)).toEqual([true, true]);
  });

  it('counts what several models share once, until the last of them is unloaded', async () => {
    const memory = new ModelMemory(200);
    const shared = [{ key: 'encoder', bytes: 60 }];
    const [one, two] = ['a', 'b'].map((name) => Object.assign(new Guest(name, 10), { shared }) as Guest) as [
      Guest,
      Guest,
    ];
    await come(memory, one);
    expect(memory.usedBytes).toBe(70);
    await come(memory, two);
    expect(memory.usedBytes).toBe(80);
    const nothing = async (): Promise<void> => undefined;
    expect(await memory.grow(one, { bytes: 10, copies: 3 }, nothing)).toBe(false); // more than half of the memory
    expect(await memory.grow(one, { bytes: 10, copies: 2 }, nothing)).toBe(true);
    expect(memory.usedBytes).toBe(150);
    await memory.remove(one);
    expect([two.isIn, memory.usedBytes]).toEqual([true, 70]); // a copy for the other one
    await come(memory, new Guest('c', 200)); // for which both must leave
    expect([two.isIn, memory.usedBytes]).toEqual([false, 200]);
    const large = Object.assign(new Guest('d', 10), { shared: [{ key: 'encoder', bytes: 300 }] });
    await expect(come(memory, large)).rejects.toMatchObject({ sqlstate: '53200' });
  });

  it('lets nobody wait for a foreign graph that loads slowly, but its owner', async () => {
    const memory = new ModelMemory(100);
    const foreign = (name: string, owner: number): Guest => Object.assign(new Guest(name, 40), { owner });
    const [slow, next, other] = [foreign('slow', 1), foreign('next', 1), foreign('other', 2)];
    let ends = (): void => undefined;
    const loading = memory.admit(slow, () => new Promise((resolve) => (ends = () => resolve(10))), { mayEvict: true });
    const waits = come(memory, next);
    const own = new Guest('own', 20);
    expect(await Promise.all([come(memory, own), come(memory, other)])).toEqual([true, true]);
    expect([next.isIn, memory.usedBytes]).toEqual([false, 100]);
    ends();
    expect(await Promise.all([loading, waits])).toEqual([true, true]);
    expect(next.isIn).toBe(true);
  });

  it('takes the memory of a foreign graph that is still loading if nothing else is left, and does not wait for it', async () => {
    const memory = new ModelMemory(100);
    const slow = Object.assign(new Guest('slow', 60), { owner: 1 });
    let ends = (): void => undefined;
    const loading = memory.admit(slow, () => new Promise((resolve) => (ends = () => resolve(10))), { mayEvict: true });
    await soon();
    expect(memory.usedBytes).toBe(60);
    await come(memory, new Guest('own', 80));
    expect(memory.usedBytes).toBe(80);
    ends();
    await expect(loading).rejects.toMatchObject({ sqlstate: '53200' });
    const small = new Guest('small', 20);
    await come(memory, small);
    memory.used(small, 5);
    await come(memory, new Guest('third', 60)); // values still count
    expect([small.isIn, memory.usedBytes]).toEqual([true, 80]);
  });

  it('does not wait either for a foreign graph that ends slowly, but the next of its owner does', async () => {
    const memory = new ModelMemory(100);
    const [old, next] = guests('ab', 60).map((guest) => Object.assign(guest, { owner: 1 }) as Guest) as [Guest, Guest];
    await come(memory, old);
    let ends = (): void => undefined;
    old.leaving = new Promise((resolve) => (ends = resolve));
    await come(memory, new Guest('own', 30));
    const waits = come(memory, next); // in place of the old one
    await soon();
    await come(memory, new Guest('more', 10));
    expect([old.isIn, next.isIn, memory.usedBytes]).toEqual([true, false, 100]);
    ends();
    expect([await waits, old.isIn, next.isIn]).toEqual([true, false, true]);
  });

  it('forgets old fame', async () => {
    const memory = new ModelMemory(80);
    const famous = new Guest('famous', 40);
    await come(memory, famous);
    memory.used(famous, 20);
    for (const guest of guests('abcdefghijklmnopqrstuvwxyz')) await come(memory, guest);
    expect(famous.isIn).toBe(false);
  });

  it('never exceeds its budget, and accounts for loaded models', async () => {
    const events = fc.array(fc.record({ who: fc.nat(7), cost: fc.integer({ min: 1, max: 50 }), uses: fc.nat(9) }));
    await fc.assert(
      fc.asyncProperty(events, async (seen) => {
        const memory = new ModelMemory(100);
        const all = Array.from({ length: 8 }, (_, i) => new Guest(String(i), 10 + 7 * i));
        for (const { who, cost, uses } of seen) {
          const guest = all[who] as Guest;
          if (!guest.isIn) await come(memory, guest, { costMs: cost });
          memory.used(guest, uses);
          const held = all.filter(({ isIn }) => isIn).reduce((sum, { bytes }) => sum + bytes, 0);
          expect(held).toBe(memory.usedBytes);
          expect(held).toBeLessThanOrEqual(100);
          expect(guest.isIn).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('waits for the running batches of an unloaded model before the next one is loaded', async () => {
    const memory = new ModelMemory(50);
    const [first, second] = guests('ab') as [Guest, Guest];
    let end = (): void => undefined;
    first.leaving = new Promise((resolve) => {
      end = resolve;
    });
    await come(memory, first);
    const coming = come(memory, second);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([first.isIn, second.isIn]).toEqual([true, false]);
    end();
    await coming;
    expect([first.isIn, second.isIn]).toEqual([false, true]);
  });

  it('unloads no model for one that only takes free memory, and reports a model that is too large', async () => {
    const memory = new ModelMemory(50);
    const [first, second] = guests('ab') as [Guest, Guest];
    await come(memory, first);
    expect(await come(memory, second, { mayEvict: false })).toBe(false);
    expect([first.isIn, second.isIn]).toEqual([true, false]);
    await expect(come(memory, new Guest('model "m"', 2 ** 26))).rejects.toMatchObject({
      sqlstate: '53200',
      message: 'model "m" does not fit into the memory for models',
      detail: expect.stringContaining('64 MB'),
      hint: expect.stringContaining('RAFIKI_MODEL_MEMORY'),
    });
    expect(first.isIn).toBe(true);
  });

  it('gives a growing model only the memory of those of less worth', async () => {
    const memory = new ModelMemory(120);
    const [often, seldom, more] = guests('abc') as [Guest, Guest, Guest];
    for (const guest of [often, seldom, more]) await come(memory, guest);
    memory.used(often, 5);
    memory.used(more, 9);
    const nothing = async (): Promise<void> => undefined;
    expect(await memory.grow(seldom, { bytes: 40, copies: 1 }, nothing)).toBe(false);
    expect(await memory.grow(often, { bytes: 80, copies: 1 }, nothing)).toBe(false);
    expect(await memory.grow(often, { bytes: 40, copies: 1 }, nothing)).toBe(true);
    expect(await memory.grow(more, { bytes: 40, copies: 1 }, nothing)).toBe(false); // half of the memory is for those that have not grown
    expect([often, seldom, more].map(({ isIn }) => isIn)).toEqual([true, false, true]);
    expect(memory.usedBytes).toBe(120);
    await come(memory, new Guest('d', 40));
    expect([often.isIn, memory.usedBytes]).toEqual([false, 80]); // the bytes that it grew by are free too
  });

  it('has room again after a load that failed', async () => {
    const memory = new ModelMemory(50);
    const broken = (): Promise<number> => Promise.reject(new Error('broken'));
    await expect(memory.admit(new Guest('a', 40), broken, { mayEvict: true })).rejects.toThrow('broken');
    expect(memory.usedBytes).toBe(0);
    expect(await come(memory, new Guest('b', 40), { mayEvict: false })).toBe(true);
  });
});

it("has a share of the machine's memory by default", () => {
  expect(defaultModelMemory()).toBeGreaterThan(2 ** 26);
  expect(defaultModelMemory()).toBeLessThanOrEqual(totalmem() / 4);
});
