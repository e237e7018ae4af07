import { expect, it } from 'vitest';
import { chooseThreads } from '../../../src/serving/devices/session-threads.ts';

/** Four inference threads whose batches take `ms`, by the threads of a session and the number of concurrent batches. */
function pool(ms: (threads: number, atOnce: number) => number) {
  const loaded = new Map<number, number>();
  let running = 0;
  let next = 1;
  return {
    size: 4,
    loaded,
    load: async ({ threads }: { threads: number }) => {
      loaded.set(next, threads);
      return next++;
    },
    spread: async () => undefined,
    isFree: () => true,
    unload: async (id: number) => void loaded.delete(id),
    run: async (id: number) => {
      running++;
      await Promise.resolve(); // those that come together
      const takesMs = ms(loaded.get(id) ?? 0, running);
      await new Promise((resolve) => setTimeout(resolve, takesMs));
      running--;
      return { outputs: [], ms: takesMs };
    },
    explain: async () => ({ outputs: [], ms: 0 }),
  };
}

const choose = async (ms: (threads: number, atOnce: number) => number, cores: number): Promise<number> => {
  const threads = pool(ms);
  const chosen = await chooseThreads({
    pool: threads,
    ensemble: { models: [], inputKind: 'image' },
    sample: 's',
    cores,
  });
  expect(threads.loaded.size).toBe(0); // what was tried is gone
  return chosen;
};

it('gives a session one thread if batches are short, or more threads are no quicker', async () => {
  expect(await choose(() => 1, 16)).toBe(1);
  expect(await choose(() => 20, 16)).toBe(1);
});

it('gives it its share of cores that would be idle', async () => {
  const work = 80;
  const ms = (threads: number, atOnce: number): number => work / Math.min(threads, 16 / atOnce);
  expect(await choose(ms, 16)).toBe(16);
  const crowded = (threads: number, atOnce: number): number =>
    ms(threads, atOnce) * (threads > 4 && atOnce > 1 ? 2 : 1);
  expect(await choose(crowded, 16)).toBe(4);
});

it('gives it one if single batches are quicker but concurrent ones slower', async () => {
  const ms = (threads: number, atOnce: number): number => (atOnce === 1 ? 40 / threads : 40 + 20 * (threads - 1));
  expect(await choose(ms, 4)).toBe(1);
});
