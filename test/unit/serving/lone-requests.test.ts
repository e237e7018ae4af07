import { expect, it } from 'vitest';
import type { BatchResult } from '../../../src/serving/devices/device.ts';
import { LatencyModel } from '../../../src/serving/policies/latency-model.ts';
import type { RequestOptions } from '../../../src/serving/queue/queued-request.ts';
import { ManualDevice, type SetUp, setUp, turn } from './manual-batcher.ts';

/** A device that answers single rows on the event loop in 0.1 ms. */
class QuickDevice extends ManualDevice {
  override readonly inlineRows = 1;
  readonly now: { input: string; subset: number }[] = [];

  runNow(inputs: readonly string[], subset: number): BatchResult | undefined {
    const [input = ''] = inputs;
    if (input.startsWith('long')) return undefined;
    this.now.push({ input, subset });
    const output = Float32Array.from(input.startsWith('y') ? [0.1, 0.9] : [0.9, 0.1]);
    return {
      outputs: subset
        .toString(2)
        .replaceAll('0', '')
        .split('')
        .map(() => output),
      ms: 0.1,
    };
  }
}

const session = {};

function stage(options: SetUp = {}) {
  const staged = setUp({ ...options, device: (clock) => new QuickDevice(clock) });
  const answerNow = (input: string, changes: Partial<RequestOptions> = {}): string | undefined => {
    const budgetMs = changes.budgetMs ?? 50;
    const deadlineMs = staged.clock.nowMs() + budgetMs;
    const terms = { wantsDetail: false, budgetMs, deadlineMs, isFirm: false, role: 'a', session };
    return staged.batcher.answerNow(input, { ...terms, ...changes });
  };
  return { ...staged, device: staged.device as QuickDevice, answerNow };
}

it('answers a session that asks alone at once, and caches the answers', async () => {
  const { answerNow, answers, device } = stage();
  expect(answerNow('yes')).toBe('yes');
  await turn();
  expect(answerNow('no')).toBe('no');
  expect(answers).toEqual(['yes=yes', 'no=no']);
  expect(device.batches).toEqual([]);
});

it('lets a request wait as others if the model needs long for it, or longer than its budget', () => {
  const { answerNow, device } = stage();
  expect(answerNow('long')).toBeUndefined();
  expect(answerNow('yes', { budgetMs: 0.05 })).toBeUndefined();
  expect(device.now).toEqual([]);
});

it('answers one request in a turn of the event loop, of all models together', async () => {
  const one = stage();
  const other = stage({ machine: one.machine, clock: one.clock });
  expect([one.answerNow('yes'), one.answerNow('yes'), other.answerNow('yes')]).toEqual(['yes', undefined, undefined]);
  await turn();
  expect(other.answerNow('yes')).toBe('yes');
});

it('lets requests of two sessions within a moment wait for each other', async () => {
  const { answerNow, clock } = stage();
  const other = {};
  expect(answerNow('yes')).toBe('yes');
  await turn();
  clock.advance(50);
  expect(answerNow('yes', { session: other })).toBeUndefined();
  expect(answerNow('yes')).toBeUndefined();
  clock.advance(101);
  expect(answerNow('yes', { session: other })).toBe('yes');
});

it('lets a request wait behind one that waits or runs, and when the model is being closed', async () => {
  const { answerNow, ask, device, batcher } = stage();
  const { outcome } = ask('long');
  expect(answerNow('yes')).toBeUndefined();
  await turn();
  expect(answerNow('yes')).toBeUndefined();
  device.batches[0]?.finish();
  await outcome;
  await turn();
  expect(answerNow('yes')).toBe('yes');
  const closed = batcher.close();
  expect(answerNow('yes')).toBeUndefined();
  await closed;
});

it('asks the policy which members answer, and whether to wait', async () => {
  const subsets = [2, 'wait', 1] as const;
  const decide = (place: number) => {
    const subset = subsets[place];
    return subset === 'wait' || subset === undefined
      ? ({ kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: 2 } as const)
      : ({ kind: 'dispatch', subset, from: 0, rows: 1 } as const);
  };
  let decisions = 0;
  const policy = { create: () => ({ name: 'in turn', decide: () => decide(decisions++) }) };
  const { answerNow, answers, device } = stage({ policy, accuracy: [0, 0.8, 0.9, 0.9] });
  expect(answerNow('yes 1')).toBe('yes');
  await turn();
  expect([answerNow('yes 2'), answerNow('yes 3')]).toEqual([undefined, 'yes']);
  expect(device.now).toEqual([
    { input: 'yes 1', subset: 2 },
    { input: 'yes 3', subset: 1 },
  ]);
  expect(answers).toEqual(['yes 1=yes']); // that of the less accurate member is not kept
});

it('counts for the times of the model, and its role as active', () => {
  const { answerNow, ask, fleet, machine, clock } = stage();
  fleet.measured([new LatencyModel(new Map([[1, 1]]))]);
  answerNow('yes', { role: 'b' });
  expect(fleet.subsetMs(1, 1)).toBeLessThan(1); // it took 0.1 ms
  ask('no', { role: 'a' });
  expect(machine.activeRoles.hasSeveral(clock)).toBe(true);
});
