import { expect, test } from 'vitest';
import { LimitReached } from '../../../src/errors/errors.ts';
import { FairGate } from '../../../src/http/fair-gate.ts';

/** Work that ends when told. */
function held(): { promise: Promise<void>; end(): void } {
  let end = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { promise, end };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a role that floods waits for its own, and another enters', async () => {
  const gate = new FairGate({ what: 'x', places: 4, placesOfRole: 2, waitingOfRole: 10 });
  const hold = held();
  let running = 0;
  const work = async (): Promise<void> => {
    running++;
    await hold.promise;
    running--;
  };
  const flood = Array.from({ length: 8 }, () => gate.run('a', work));
  await turn();
  expect(running).toBe(2);
  const other = gate.run('b', work);
  await turn();
  expect(running).toBe(3);
  hold.end();
  await Promise.all([...flood, other]);
  expect(running).toBe(0);
});

test('roles that wait take turns, whoever came first', async () => {
  const gate = new FairGate({ what: 'x', places: 1, placesOfRole: 1, waitingOfRole: 10 });
  const order: string[] = [];
  const work = (name: string) => async (): Promise<void> => {
    await turn();
    order.push(name);
  };
  const all = [
    ...[1, 2, 3, 4].map((i) => gate.run('a', work(`a${i}`))),
    ...[1, 2].map((i) => gate.run('b', work(`b${i}`))),
  ];
  await Promise.all(all);
  expect(order).toEqual(['a1', 'a2', 'b1', 'a3', 'b2', 'a4']);
});

test('more than may wait are refused, and failed work gives its place back', async () => {
  const gate = new FairGate({ what: 'questions', places: 1, placesOfRole: 1, waitingOfRole: 1 });
  const hold = held();
  const first = gate.run('a', () => hold.promise);
  const second = gate.run('a', async () => {
    throw new Error('broken');
  });
  await expect(gate.run('a', async () => undefined)).rejects.toThrow(LimitReached);
  hold.end();
  await first;
  await expect(second).rejects.toThrow('broken');
  await expect(gate.run('a', async () => 7)).resolves.toBe(7);
});
