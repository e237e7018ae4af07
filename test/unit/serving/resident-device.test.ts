import { expect, it } from 'vitest';
import { EnvironmentUnfit } from '../../../src/errors/errors.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { ModelMemory } from '../../../src/serving/devices/model-memory.ts';
import { ResidentDevice } from '../../../src/serving/devices/resident-device.ts';

/** A device that notes what becomes of it; its batches end when the test says so. */
function setUp(
  memory: ModelMemory,
  { bytes = 40, grownBytes = 100, isBroken = false, cannotGrow = false, fault = undefined as Error | undefined } = {},
) {
  const log: string[] = [];
  const ends: (() => void)[] = [];
  let taken = 0;
  const loaded = {
    isFree: true,
    inlineRows: 0,
    run: async (inputs: readonly string[]) => {
      log.push(`run ${inputs.length}`);
      await new Promise<void>((resolve) => ends.push(resolve));
      return { outputs: [], ms: 1 };
    },
    grow: async () => {
      log.push('grow');
      if (cannotGrow) throw new Error('no memory');
    },
    release: async () => void log.push('release'),
  };
  const load = async () => {
    log.push('load');
    if (isBroken) throw new Error('broken');
    return loaded;
  };
  const device = new ResidentDevice({
    name: 'm',
    memory,
    fetch: async () => {
      log.push('fetch');
      if (fault !== undefined) throw fault;
      const prepare = async () => void log.push('prepare');
      return { bytes, grownBytes, shared: [], grownCopies: 1, prepare, load };
    },
    onFirstLoad: async () => void log.push('measure'),
    onLoad: () => undefined,
    onBytes: (more) => {
      taken += more;
    },
    logger: { ...silentLogger, warn: (...entry: unknown[]) => log.push(JSON.stringify(entry)) } as typeof silentLogger,
  });
  return { device, log, ends, taken: () => taken };
}

const inputs = (rows: number): string[] => Array.from({ length: rows }, (_, i) => `text ${i}`);
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

it('is loaded once for concurrent requests, and measured the first time only', async () => {
  const memory = new ModelMemory(50);
  const { device, log } = setUp(memory);
  const other = setUp(memory);
  expect(await Promise.all([device.open(), device.open(), device.open()])).toEqual([true, true, true]);
  await other.device.open();
  expect(device.isReady).toBe(false);
  await device.open();
  expect(log).toEqual(['fetch', 'prepare', 'load', 'measure', 'release', 'fetch', 'load']);
});

it('is unloaded when its batches have ended, and loaded again for the next', async () => {
  const memory = new ModelMemory(50);
  const { device, log, ends, taken } = setUp(memory);
  await device.open();
  const running = device.run(['a'], 1);
  const other = setUp(memory);
  const opening = other.device.open();
  await turn();
  expect([device.isReady, log.at(-1), other.device.isReady]).toEqual([false, 'run 1', false]);
  const next = device.run(['a', 'b'], 1);
  ends.shift()?.();
  await Promise.all([running, opening]);
  await turn();
  expect(log.slice(-3)).toEqual(['release', 'load', 'run 2']);
  expect([taken(), other.taken()]).toEqual([40, 0]);
  ends.shift()?.();
  await next;
});

it('grows if it is requested often and there is memory, and releases all of it', async () => {
  const memory = new ModelMemory(120);
  const { device, log, ends, taken } = setUp(memory);
  await device.open();
  void device.run(inputs(63), 1);
  await turn();
  expect(log).not.toContain('grow');
  void device.run(inputs(1), 1);
  await turn();
  expect(log.filter((entry) => entry === 'grow')).toHaveLength(1);
  expect([taken(), memory.usedBytes]).toEqual([100, 100]);
  for (const end of ends) end();
  await device.release();
  expect([taken(), memory.usedBytes]).toEqual([0, 0]);
});

it('releases all of its grown memory, even if it is requested again before its last batch has ended', async () => {
  const memory = new ModelMemory(120);
  const { device, ends, taken } = setUp(memory);
  await device.open();
  void device.run(inputs(64), 1);
  await turn();
  expect(taken()).toBe(100);
  const other = setUp(memory, { bytes: 50 });
  const opening = other.device.open(); // it must leave
  await turn();
  const again = device.open();
  await turn();
  for (const end of ends) end();
  await Promise.all([opening, again]);
  expect(taken()).toBe(40);
  await device.release();
  expect([taken(), other.taken(), memory.usedBytes]).toEqual([0, 50, 50]);
});

it('that this machine cannot load is not tried again for each request', async () => {
  const { device, log } = setUp(new ModelMemory(50), { fault: new EnvironmentUnfit('the disk is full') });
  for (let i = 0; i < 3; i++) await expect(device.open()).rejects.toMatchObject({ sqlstate: '58000' });
  expect(log).toEqual(['fetch']);
});

it('stays as it is if its grown form does not fit', async () => {
  const memory = new ModelMemory(60);
  const { device, log, ends } = setUp(memory);
  await device.open();
  for (let i = 0; i < 3; i++) void device.run(inputs(64), 1);
  await turn();
  expect([log.includes('grow'), device.isReady, memory.usedBytes]).toEqual([false, true, 40]);
  for (const end of ends) end();
});

it('answers on if it cannot grow, and says so', async () => {
  const { device, log, ends } = setUp(new ModelMemory(120), { cannotGrow: true });
  await device.open();
  for (let i = 0; i < 2; i++) void device.run(inputs(64), 1);
  await turn();
  expect(log.filter((entry) => entry.includes('no memory'))).toHaveLength(1);
  expect([log.filter((entry) => entry === 'grow').length, device.isReady]).toEqual([1, true]);
  for (const end of ends) end();
});

it('rejects each request with the reason if it cannot be loaded, and takes no memory', async () => {
  const memory = new ModelMemory(50);
  const { device } = setUp(memory, { isBroken: true });
  await expect(device.open()).rejects.toThrow('broken');
  await expect(device.run(['a'], 1)).rejects.toThrow('broken');
  expect(memory.usedBytes).toBe(0);
});
