import { describe, expect, it } from 'vitest';
import { BadData, LimitReached, ShuttingDown } from '../../../src/errors/errors.ts';
import type { Policy } from '../../../src/serving/policies/policy.ts';
import { policyByName } from '../../../src/serving/policies/registry.ts';
import { MAX_QUEUED } from '../../../src/serving/queue/limits.ts';
import { ManualDevice, setUp, turn } from './manual-batcher.ts';

describe('Batcher', () => {
  it('puts rows of one request, and rows that arrive during a batch, into one batch', async () => {
    const { device, ask, answers } = setUp();
    const first = [ask('yes'), ask('no')];
    await turn();
    const second = [ask('a'), ask('b'), ask('c')];
    await turn();
    expect(device.batches.map((batch) => batch.inputs)).toEqual([['yes', 'no']]);
    device.batches[0]?.finish();
    expect((await Promise.all(first.map((each) => each.outcome))).map((outcome) => outcome.answer)).toEqual([
      'yes',
      'no',
    ]);
    await turn();
    expect(device.batches[1]?.inputs).toEqual(['a', 'b', 'c']);
    device.batches[1]?.finish();
    expect((await second[0]?.outcome)?.batch).toBe(3);
    expect(answers).toEqual(['yes=yes', 'no=no', 'a=no', 'b=no', 'c=no']);
  });

  it('has its policy decide once about what was asked in one go, and again when as many wait as it wants', async () => {
    const seen: number[] = [];
    const decide: Policy['decide'] = ({ queue }) => {
      seen.push(queue.length);
      return { kind: 'wait', untilMs: 1_000_000, rows: 150 };
    };
    const { ask } = setUp({ policy: { create: () => ({ name: 'counts', decide }) } });
    for (let i = 0; i < 100; i++) ask(`text ${i}`);
    await turn();
    ask('one of the fifty that it waits for');
    await turn();
    for (let i = 100; i < 200; i++) ask(`text ${i}`);
    await turn();
    expect(seen).toEqual([100, 201]);
    ask('sooner', { budgetMs: 20 });
    await turn();
    expect(seen).toEqual([100, 201, 202]);
  });

  it('computes a text once for requests that arrive while it is computed', async () => {
    const { device, batcher, ask } = setUp();
    batcher.warm('same', 'a');
    const asked = [ask('same'), ask('same')];
    await turn();
    asked.push(ask('same'));
    device.batches[0]?.finish();
    expect((await Promise.all(asked.map((each) => each.outcome))).length).toBe(3);
    expect(device.batches.map((batch) => batch.inputs)).toEqual([['same']]);
  });

  it('answers waiting requests before rows that were read ahead', async () => {
    const { device, batcher, ask } = setUp();
    ask('running');
    await turn();
    for (let i = 0; i < 5; i++) batcher.warm(`ahead ${i}`, 'a');
    ask('demanded');
    ask('ahead 4');
    device.batches[0]?.finish();
    await turn();
    await turn();
    expect(device.batches[1]?.inputs.slice(0, 2)).toEqual(['demanded', 'ahead 4']);
  });

  it('skips requests that were cancelled', async () => {
    const { device, ask } = setUp();
    ask('running');
    await turn();
    const unwanted = ask('unwanted');
    const shared = ask('shared');
    ask('shared');
    unwanted.leave();
    shared.leave();
    shared.leave();
    device.batches[0]?.finish();
    await turn();
    await turn();
    expect(device.batches[1]?.inputs).toEqual(['shared']);
  });

  it.each([
    ['asks all members only when details are wanted', { accuracy: [0, 0.9, 0.8, 0.9] }, [1, 3]],
    [
      'asks a variant where it is as accurate, and never for details',
      { accuracy: [0, 0.9, 0.9, 0.9], variants: 1 },
      [2, 1],
    ],
  ])('%s', async (_, members, subsets) => {
    const { device, ask } = setUp(members);
    ask('a');
    await turn();
    device.batches[0]?.finish();
    await turn();
    ask('a', { wantsDetail: true });
    await turn();
    expect(device.batches.map((batch) => batch.subset)).toEqual(subsets);
  });

  it('refuses a request if its queue is full, and accepts requests again later', async () => {
    const { device, ask } = setUp();
    ask('running');
    await turn();
    const asked = Array.from({ length: MAX_QUEUED }, (_, i) => ask(`text ${i}`));
    expect(() => ask('one more')).toThrowError(LimitReached);
    asked[0]?.leave();
    expect(() => ask('one more')).not.toThrow();
    device.batches[0]?.finish();
    await turn();
    await turn();
    expect(device.batches[1]?.inputs.length).toBe(256);
  });

  it('rejects the requests of a failed batch, and continues', async () => {
    const { device, ask } = setUp();
    const failed = ask('a');
    await turn();
    device.batches[0]?.finish(new Error('broken'));
    await expect(failed.outcome).rejects.toThrow('broken');
    const next = ask('a');
    await turn();
    device.batches[1]?.finish();
    expect((await next.outcome).answer).toBe('no');
  });

  it('puts fewer long inputs into a batch, so that it stays within memory', async () => {
    const { device, ask } = setUp();
    const long = 'y'.repeat(12 * 1024 * 1024);
    for (let i = 0; i < 4; i++) ask(`${i}${long}`);
    await turn();
    expect(device.batches.map(({ inputs }) => inputs.length)).toEqual([3]);
    device.batches[0]?.finish();
    await turn();
    expect(device.batches[1]?.inputs.length).toBe(1);
  });

  it('fails of a batch only the inputs that cannot be read', async () => {
    const { device, ask } = setUp();
    const asked = ['yes', 'broken', 'no'].map((input) => ask(input));
    const answers = asked.map(({ outcome }) => outcome.then(({ answer }) => answer).catch(({ message }) => message));
    for (let batch = 0; batch < 5; batch++) {
      await turn();
      const { inputs = [], finish } = device.batches[batch] ?? {};
      finish?.(inputs.includes('broken') ? new BadData('an image cannot be read') : undefined);
    }
    expect(await Promise.all(answers)).toEqual(['yes', 'an image cannot be read', 'no']);
  });

  it('keeps a request open that came while a batch ran of which some answers cannot be made', async () => {
    const answer = (_outputs: unknown, row: number): string => {
      if (row === 1) throw new Error('no answer');
      return 'an answer';
    };
    const { device, ask } = setUp({ answerMaker: { answer, finding: () => ({}) } });
    const asked = ['first', 'second'].map((input) => ask(input));
    const outcomes = asked.map(({ outcome }) => outcome.then((each) => each.answer).catch(({ message }) => message));
    await turn();
    const empty = ask('');
    device.batches[0]?.finish();
    expect(await Promise.all(outcomes)).toEqual(['an answer', 'no answer']);
    await turn();
    const again = ask('');
    await turn();
    expect(device.batches.length).toBe(2);
    device.batches[1]?.finish();
    expect(await Promise.all([empty.outcome, again.outcome])).toMatchObject([
      { answer: 'an answer' },
      { answer: 'an answer' },
    ]);
  });

  it('answers waiting requests when it closes, and accepts no new ones', async () => {
    const never: Policy = { name: 'never', decide: () => ({ kind: 'wait', untilMs: 1_000_000, rows: 1_000_000 }) };
    const { device, batcher, ask } = setUp({ policy: { create: () => never } });
    const asked = ask('a');
    batcher.warm('ahead', 'a');
    const closed = batcher.close();
    await turn();
    device.batches[0]?.finish();
    await closed;
    expect((await asked.outcome).answer).toBe('no');
    expect(device.batches.flatMap((batch) => batch.inputs)).toEqual(['a']);
    expect(() => ask('b')).toThrowError(ShuttingDown);
  });

  it('runs long inputs of a quick model on a slot: they do not run on the event loop', async () => {
    class Inline extends ManualDevice {
      override readonly inlineRows = 4;
    }
    const { ask, machine } = setUp({ device: (clock) => new Inline(clock) });
    void ask('x'.repeat(100_000));
    await turn();
    expect(machine.slots.taken).toBe(1);
    void ask('short');
    await turn();
    expect(machine.slots.taken).toBe(1);
  });

  it('frees the input of an answered request, though others of its session wait', async () => {
    const { device, ask } = setUp();
    const answered = ask('yes');
    await turn();
    ask('waits');
    device.batches[0]?.finish();
    await answered.outcome;
    expect(answered.request.input).toBe('');
  });

  it('gives a place of a full queue to a session that has less than its part of it', async () => {
    const { device, ask } = setUp();
    ask('running');
    await turn();
    const greedy = {};
    const asked = Array.from({ length: MAX_QUEUED }, (_, i) => ask(`text ${i}`, { session: greedy, budgetMs: 5000 }));
    const modest = ask('yes', { session: {}, budgetMs: 5000 });
    await expect(asked.at(-1)?.outcome).rejects.toThrowError(LimitReached);
    expect(() => ask('greedy again', { session: greedy })).toThrowError(LimitReached);
    modest.leave();
    device.batches[0]?.finish();
  });

  it('lets an overloaded ensemble answer by single members, and keeps only answers of the whole', async () => {
    const { device, ask, answers } = setUp({
      policy: policyByName('planner'),
      accuracy: [0, 0.8, 0.78, 0.8, 0.75, 0.8, 0.78, 0.83],
    });
    ask('yes');
    await turn();
    expect(device.batches[0]?.subset).toBe(7);
    device.batches[0]?.finish();
    await turn();
    for (let i = 0; i < 400; i++) ask(`text ${i}`);
    await turn();
    expect([1, 2, 4]).toContain(device.batches[1]?.subset);
    device.batches[1]?.finish();
    await turn();
    expect(answers).toEqual(['yes=yes']);
  });

  it('loads an unloaded model once for all waiting requests, and answers them together', async () => {
    const { device, ask } = setUp();
    device.isReady = false;
    const asked = [ask('yes'), ask('no')];
    await turn();
    asked.push(ask('also'));
    await turn();
    expect([device.opens, device.batches.length]).toEqual([1, 0]);
    device.loaded();
    await turn();
    expect(device.batches.map(({ inputs }) => inputs)).toEqual([['yes', 'no', 'also']]);
    device.batches[0]?.finish();
    expect((await asked[0]?.outcome)?.answer).toBe('yes');
    expect(device.opens).toBe(1);
  });

  it('rejects all waiting requests with the reason if a model cannot be loaded, and tries again for the next', async () => {
    const { device, ask, batcher } = setUp();
    device.isReady = false;
    const asked = [ask('a'), ask('b')].map(({ outcome }) => expect(outcome).rejects.toThrow('no room'));
    await turn();
    device.loaded(new Error('no room'));
    await Promise.all(asked);
    const next = ask('yes');
    await turn();
    device.loaded();
    await turn();
    device.batches[0]?.finish();
    expect((await next.outcome).answer).toBe('yes');
    await batcher.close();
  });
});
