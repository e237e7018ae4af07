import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIVE_MS, ActiveUsers } from '../../../src/serving/machine/active-users.ts';
import { FairClock } from '../../../src/serving/machine/fair-clock.ts';
import { Slots } from '../../../src/serving/machine/slots.ts';
import { Margin } from '../../../src/serving/policies/margin.ts';
import { Fifo } from '../../../src/serving/queue/fifo.ts';
import { fill, hasRoom, largest } from '../../../src/serving/queue/fullness.ts';
import { MAX_QUEUED, MAX_QUEUED_CHARS } from '../../../src/serving/queue/limits.ts';
import { QueueLoad } from '../../../src/serving/queue/queued-request.ts';
import { checkReplySize } from '../../../src/serving/session/detail.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('Fifo', () => {
  it('behaves as an array whatever is pushed, shifted and kept', () => {
    const command = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('push' as const), count: fc.constantFrom(1, 3, 1500) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('shift' as const), count: fc.constantFrom(1, 2, 1100) }) },
      fc.record({ kind: fc.constantFrom('drop' as const, 'keep' as const), count: fc.constantFrom(2, 3) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        const fifo = new Fifo<number>();
        let model: number[] = [];
        let next = 0;
        for (const { kind, count } of commands) {
          if (kind === 'push') {
            for (let i = 0; i < count; i++, next++) {
              fifo.push(next);
              model.push(next);
            }
          } else if (kind === 'shift') {
            for (let i = 0; i < count; i++) expect(fifo.shift()).toBe(model.shift());
          } else if (kind === 'drop') {
            fifo.dropWhile((item) => item % count !== 0);
            while (model.length > 0 && model[0]! % count !== 0) model.shift();
          } else {
            fifo.keepOnly((item) => item % count === 0);
            model = model.filter((item) => item % count === 0);
          }
          expect([fifo.length, fifo.peek()]).toEqual([model.length, model[0]]);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('the fair clock', () => {
  it('gives no credit for idle time, and continues from the start of work', () => {
    const clock = new FairClock<string>();
    clock.charge('a', 3);
    expect([clock.startOf('a'), clock.startOf('b')]).toEqual([3, 0]);
    clock.begin(2);
    clock.begin(1);
    expect([clock.startOf('a'), clock.startOf('b')]).toEqual([3, 2]);
    clock.charge('b', 1);
    expect(clock.startOf('b')).toBe(3);
  });

  it('remembers a thousand roles that are ahead, and forgets those that are not behind first', () => {
    const clock = new FairClock<string>();
    for (let i = 0; i < 1023; i++) clock.charge(`role ${i}`, 10);
    clock.begin(5);
    clock.charge('even', 0);
    clock.charge('new', 10);
    expect([clock.startOf('role 0'), clock.startOf('new')]).toEqual([10, 15]);
    clock.charge('one more', 10);
    expect([clock.startOf('role 0'), clock.startOf('role 1'), clock.startOf('one more')]).toEqual([5, 10, 15]);
  });

  it('gives credit for a pause, if it is to', () => {
    const clock = new FairClock<string>({ credit: 2 });
    clock.begin(10);
    clock.charge('a', 1);
    expect([clock.startOf('a'), clock.startOf('b')]).toEqual([9, 8]);
    clock.charge('a', 3);
    clock.forget('a');
    expect(clock.startOf('a')).toBe(12); // ahead, so it is not forgotten
    clock.begin(14);
    clock.forget('a');
    clock.begin(10);
    expect([clock.startOf('a'), clock.startOfNew]).toEqual([12, 12]);
  });

  it('gives the first of those with the smallest tag that have more work', () => {
    const clock = new FairClock<string>();
    const work = { deadlineMs: 1 };
    const turns = [
      { tag: 2, next: work },
      { tag: 0, next: undefined },
      { tag: 1, next: work },
      { tag: 1, next: { deadlineMs: 0 } },
    ];
    expect(clock.next(turns)).toBe(turns[2]);
    expect(clock.next([])).toBeUndefined();
  });

  it('gives the earliest deadline of those behind it', () => {
    const clock = new FairClock<string>({ credit: 5 });
    clock.begin(4);
    const turns = [
      { tag: 4, next: { deadlineMs: 0 } },
      { tag: 1, next: { deadlineMs: 2 } },
      { tag: 3, next: { deadlineMs: 1 } },
    ];
    expect(clock.next(turns)).toBe(turns[2]);
  });
});

describe('slots', () => {
  it('are taken in order, and free again', () => {
    const slots = new Slots(2);
    expect([slots.take(0, 10), slots.take(0, 20)]).toEqual([0, 1]);
    expect([slots.taken, slots.anyFree]).toEqual([2, false]);
    expect(slots.freeMs(5)).toEqual([10, 20]);
    expect(slots.freeMs(15)).toEqual([16, 20]); // the first takes longer than was thought
    slots.free(0);
    expect([slots.taken, slots.anyFree, slots.freeMs(15)]).toEqual([1, true, [15, 20]]);
    expect(slots.take(15, 25)).toBe(0);
  });

  it('know when the next one is free if a batch takes one now', () => {
    const slots = new Slots(2);
    expect(slots.nextFreeMs(5, 100)).toBe(5);
    slots.take(0, 20);
    expect([slots.nextFreeMs(5, 100), slots.nextFreeMs(5, 10)]).toEqual([20, 15]);
    expect(slots.nextFreeMs(30, 100)).toBe(60); // the batch takes longer than was thought: as long again
  });
});

describe('active roles', () => {
  it('lasts for ten minutes after a request of another role than the latest', () => {
    const clock = new ManualClock();
    const active = new ActiveUsers<string>(ACTIVE_MS);
    const startedMs = clock.nowMs();
    active.requested('a', startedMs);
    active.requested('a', startedMs + 1);
    expect(active.hasSeveral(clock)).toBe(false);
    active.requested('b', startedMs + 2);
    expect(active.hasSeveral(clock)).toBe(true);
    clock.advance(600_000);
    expect(active.hasSeveral(clock)).toBe(true);
    clock.advance(1);
    expect(active.hasSeveral(clock)).toBe(false);
  });
});

describe('how full a queue is', () => {
  const load = (rows: number, chars = 0): QueueLoad => Object.assign(new QueueLoad(), { rows, chars });

  it('is measured in rows or characters, whichever is the larger share of the limit', () => {
    expect(fill(load(MAX_QUEUED / 2, MAX_QUEUED_CHARS / 4))).toBe(0.5);
    expect(fill(load(MAX_QUEUED / 4, MAX_QUEUED_CHARS / 2))).toBe(0.5);
  });

  it('leaves room for one row more within a share', () => {
    expect([hasRoom(load(MAX_QUEUED / 2 - 1), 0.5), hasRoom(load(MAX_QUEUED / 2), 0.5)]).toEqual([true, false]);
    expect([hasRoom(undefined, 1 / MAX_QUEUED), hasRoom(undefined, 0)]).toEqual([true, false]);
  });

  it('is highest for the first of the fullest', () => {
    const all = [1, 3, 3, 2].map((rows) => ({ load: load(rows) }));
    expect(largest(all)).toBe(all[1]);
    expect(largest([])).toBeUndefined();
  });
});

it('two batches in a hundred exceed the margin', () => {
  const margin = new Margin();
  expect(margin.value).toBe(1);
  margin.observe(2);
  expect(margin.value).toBeCloseTo(1 + 0.02 * 0.98, 12);
  for (let i = 0; i < 49; i++) margin.observe(1);
  expect(margin.value).toBeCloseTo(1, 2);
  for (let i = 0; i < 1000; i++) margin.observe(5);
  expect(margin.value).toBe(3);
  for (let i = 0; i < 10_000; i++) margin.observe(0.1);
  expect(margin.value).toBe(1);
});

it('details of 16 MB are answered, more are not, but those of one row always', () => {
  const classes = Array.from({ length: 10 }, () => 'x'.repeat(70)); // 1000 bytes a row
  expect(() => checkReplySize({ classes }, 16_000)).not.toThrow();
  expect(() => checkReplySize({ classes }, 16_001)).toThrowError(
    expect.objectContaining({
      sqlstate: '54000',
      detail: expect.stringContaining('about 16 MB; the maximum is 16 MB'),
    }),
  );
  expect(() => checkReplySize({ classes: ['x'.repeat(20_000_000)] }, 1)).not.toThrow();
});
