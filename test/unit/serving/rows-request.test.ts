import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RowsRequest } from '../../../src/serving/session/rows-request.ts';
import { setUp } from './manual-batcher.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const session = {};

it.each([
  ['error', { sqlstate: '57014' }],
  ['null', [null]],
] as const)(
  'tells of what is overdue a hundredth of the budget before its end, on_overdue %s',
  async (onOverdue, heard) => {
    const { batcher, clock } = setUp();
    const deadline = { budgetMs: 1000, startedMs: 0, onOverdue };
    const { outcomes } = new RowsRequest(batcher, {
      ...{ inputs: ['never'], wantsDetail: false, role: 'a', session, deadline, clock },
    });
    const settled = vi.fn();
    outcomes.then(settled, settled);
    await vi.advanceTimersByTimeAsync(989);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(settled).toHaveBeenCalledWith(
      onOverdue === 'null' ? heard : expect.objectContaining({ detail: expect.any(String) }),
    );
    expect(batcher.isOpen('never')).toBe(true); // its batch runs already
  },
);

it('waits for a late answer if on_overdue is answer', async () => {
  const { batcher, clock, device } = setUp();
  const deadline = { budgetMs: 1000, startedMs: 0, onOverdue: 'answer' } as const;
  const { outcomes } = new RowsRequest(batcher, {
    ...{ inputs: ['yes', 'no'], wantsDetail: false, role: 'a', session, deadline, clock },
  });
  await vi.advanceTimersByTimeAsync(5000);
  for (let batch = device.batches.shift(); batch !== undefined; batch = device.batches.shift()) {
    batch.finish();
    await vi.advanceTimersByTimeAsync(0);
  }
  expect((await outcomes).map((outcome) => outcome?.answer)).toEqual(['yes', 'no']);
});

it('has null in the place of a row that cannot be in time, and the others in theirs', async () => {
  const { batcher, clock, device, ask } = setUp();
  for (let i = 0; i < 600; i++) ask(`no ${i}`); // 60 ms of work within 50 ms
  ask('yes');
  const deadline = { budgetMs: 50, startedMs: 0, onOverdue: 'null' } as const;
  const { outcomes } = new RowsRequest(batcher, {
    ...{
      inputs: ['new', 'yes', 'no 7', 'new as well'],
      wantsDetail: false,
      role: 'a',
      session: batcher,
      deadline,
      clock,
    },
  });
  await vi.advanceTimersByTimeAsync(0);
  for (let batch = device.batches.shift(); batch !== undefined; batch = device.batches.shift()) {
    batch.finish();
    await vi.advanceTimersByTimeAsync(0);
  }
  expect((await outcomes).map((outcome) => outcome?.answer ?? null)).toEqual([null, 'yes', 'no', null]);
});
