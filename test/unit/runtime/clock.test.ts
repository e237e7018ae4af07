import { expect, it } from 'vitest';
import { ManualClock } from '../../support/manual-clock.ts';

it('a manual clock calls what is due, each at its time and in the order in which it was set, unless it was cancelled', () => {
  const clock = new ManualClock();
  const calls: [string, number][] = [];
  const note = (name: string) => (): void => void calls.push([name, clock.nowMs()]);
  clock.after(20, note('third'));
  clock.after(10, () => {
    note('first')();
    clock.after(5, note('set meanwhile'));
  });
  clock.after(10, note('second'));
  const cancel = clock.after(12, note('cancelled'));
  cancel();
  cancel();
  expect(clock.nextMs).toBe(10);
  clock.advance(19);
  expect(calls).toEqual([
    ['first', 10],
    ['second', 10],
    ['set meanwhile', 15],
  ]);
  expect([clock.nowMs(), clock.nextMs]).toEqual([19, 20]);
  clock.advanceTo(30);
  expect(calls.at(-1)).toEqual(['third', 20]);
  expect([clock.nowMs(), clock.nextMs]).toEqual([30, Number.POSITIVE_INFINITY]);
});
