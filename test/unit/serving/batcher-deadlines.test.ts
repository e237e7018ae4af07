import { describe, expect, it } from 'vitest';
import { DeadlineMissed } from '../../../src/errors/errors.ts';
import { policyByName } from '../../../src/serving/policies/registry.ts';
import type { RequestOptions } from '../../../src/serving/queue/queued-request.ts';
import { setUp, turn } from './manual-batcher.ts';

describe('Batcher, with deadlines', () => {
  it('answers the earliest deadline first', async () => {
    const { device, ask } = setUp();
    ask('running');
    await turn();
    ask('later', { budgetMs: 40 });
    ask('soon', { budgetMs: 10 });
    ask('last');
    device.batches[0]?.finish();
    await turn();
    await turn();
    expect(device.batches[1]?.inputs).toEqual(['soon', 'later', 'last']);
  });

  it('refuses a request that cannot be in time if late answers are not wanted, with a time for the retry', async () => {
    const { device, clock, ask } = setUp();
    ask('running');
    await turn();
    const refused = ask('firm', { isFirm: true, budgetMs: 10 });
    clock.advance(11);
    device.batches[0]?.finish();
    await expect(refused.outcome).rejects.toMatchObject({
      sqlstate: '57014',
      retryable: true,
      hint: expect.stringMatching(/^Repeat the call in \d+ ms/),
    });
    expect(device.batches.length).toBe(1);
  });

  it('refuses a request immediately if too many wait before it', async () => {
    const { ask } = setUp();
    for (let i = 0; i < 600; i++) ask(`text ${i}`); // 60 ms of work within 50 ms
    expect(() => ask('one more', { isFirm: true })).toThrowError(DeadlineMissed);
    expect(() => ask('one more')).not.toThrow();
  });

  it('finds out that a model is quick again though it would refuse every request', async () => {
    const { device, ask, clock } = setUp({ policy: policyByName('planner'), rowMs: [10], budgetMs: 50 });
    const outcomeOf = async (options: Partial<RequestOptions>, ms: number): Promise<string> => {
      const asked = ask(`text ${clock.nowMs()}`, { session: {}, ...options });
      const settled = asked.outcome.then(
        () => 'answered',
        () => 'refused',
      );
      await turn();
      clock.advance(ms);
      device.batches.shift()?.finish();
      return settled;
    };
    for (let i = 0; i < 40; i++) await outcomeOf({ budgetMs: 2000 }, 100);
    const outcomes: string[] = [];
    for (let second = 0; second < 100; second++) {
      outcomes.push(await outcomeOf({ isFirm: true }, 10));
      clock.advance(1000);
    }
    expect(outcomes[0]).toBe('refused');
    expect(outcomes.slice(60)).toEqual(Array(40).fill('answered'));
  });

  it('answers late requests after those that can be in time, and on an idle device', async () => {
    const { device, clock, ask } = setUp();
    ask('running');
    await turn();
    for (let i = 0; i < 20; i++) ask(`late ${i}`, { budgetMs: 10 });
    clock.advance(11);
    for (let i = 0; i < 8; i++) ask(`in time ${i}`);
    device.batches[0]?.finish();
    await turn();
    await turn();
    expect(device.batches[1]?.inputs).toEqual(Array.from({ length: 8 }, (_, i) => `in time ${i}`));
    device.batches[1]?.finish();
    await turn();
    await turn();
    expect(device.batches[2]?.inputs).toEqual(Array.from({ length: 20 }, (_, i) => `late ${i}`));
  });

  it('adds late rows to a batch where they take less time than alone, and make no request late', async () => {
    const { device, clock, ask } = setUp({ fixedMs: 10, rowMs: [1] });
    ask('running');
    await turn();
    for (let i = 0; i < 3; i++) ask(`late ${i}`, { budgetMs: 10 });
    clock.advance(40);
    for (let i = 0; i < 2; i++) ask(`in time ${i}`);
    device.batches[0]?.finish();
    await turn();
    await turn();
    expect(device.batches[1]?.inputs).toEqual(['in time 0', 'in time 1', 'late 0', 'late 1', 'late 2']);
    ask('soon', { budgetMs: 15 });
    for (let i = 3; i < 6; i++) ask(`late ${i}`, { budgetMs: 1 });
    clock.advance(2);
    device.batches[1]?.finish();
    await turn();
    await turn();
    // 'soon' has 13 ms left, of which it takes 11, and a margin since the first batch was slow
    expect(device.batches[2]?.inputs).toEqual(['soon', 'late 3']);
  });

  it('ends a batch of late rows alone so early that a request which comes now is in time', async () => {
    const { device, clock, ask } = setUp({ fixedMs: 10, rowMs: [1] });
    ask('running');
    await turn();
    for (let i = 0; i < 100; i++) ask(`late ${i}`, { budgetMs: 10 });
    clock.advance(2000); // they came long ago: none is expected
    device.batches[0]?.finish();
    await turn();
    await turn();
    // 11 ms remain for that request of 50, and a margin since the first batch was slow
    expect(device.batches[1]?.inputs.length).toBeGreaterThan(20);
    expect(device.batches[1]?.inputs.length).toBeLessThanOrEqual(29);
  });

  it('refuses a late request if those of other sessions take a minute', async () => {
    const { device, clock, ask } = setUp({ rowMs: [100] });
    ask('running');
    await turn();
    for (let i = 0; i < 1000; i++) ask(`late ${i}`, { session: {}, budgetMs: 1 }).outcome.catch(() => undefined);
    clock.advance(2);
    const refused = ask('late, too', { session: {}, budgetMs: 1 });
    clock.advance(2);
    device.batches[0]?.finish();
    await expect(refused.outcome).rejects.toMatchObject({ sqlstate: '53400', detail: expect.stringContaining('60 s') });
  });

  it('answers a late request in its turn if another session has late ones for longer than a minute', async () => {
    const { device, clock, ask } = setUp({ rowMs: [100] });
    ask('running');
    await turn();
    const greedy = {};
    for (let i = 0; i < 1000; i++) ask(`late ${i}`, { session: greedy, budgetMs: 1 });
    clock.advance(2);
    const late = ask('yes, too', { session: {}, budgetMs: 1 });
    for (let batch = 0; batch < 10; batch++) {
      clock.advance(400);
      device.batches.shift()?.finish();
      await turn();
      await turn();
    }
    await expect(late.outcome).resolves.toMatchObject({ answer: 'yes' });
  });
});
