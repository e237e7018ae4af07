import { describe, expect, it } from 'vitest';
import { BadData, LimitReached, ShuttingDown } from '../../../src/errors/errors.ts';
import { ManualClock } from '../../../src/runtime/clock.ts';
import { Batcher } from '../../../src/serving/batcher.ts';
import type { Device, MemberOutput } from '../../../src/serving/device.ts';
import { judgeOf } from '../../../src/serving/ensemble.ts';
import { MAX_QUEUED } from '../../../src/serving/lanes.ts';
import { LatencyModel } from '../../../src/serving/latency-model.ts';
import { eager } from '../../../src/serving/policies/eager.ts';
import type { Policy } from '../../../src/serving/policies/policy.ts';

/** A device whose batches end when the test says so; class 1 for texts that begin with "y". */
class ManualDevice implements Device {
  readonly slots = 1;
  readonly inlineRows = 0;
  readonly batches: { texts: readonly string[]; members: number; finish(error?: Error): void }[] = [];

  run(texts: readonly string[], members: number): Promise<MemberOutput[]> {
    return new Promise((resolve, reject) => {
      const output = Float32Array.from(texts.flatMap((text) => (text.startsWith('y') ? [0.1, 0.9] : [0.9, 0.1])));
      const finish = (error?: Error): void =>
        error ? reject(error) : resolve(Array.from({ length: members }, () => output));
      this.batches.push({ texts, members, finish });
    });
  }

  async release(): Promise<void> {}
}

function setUp(policy: Policy = eager, members = 1) {
  const device = new ManualDevice();
  const answers: string[] = [];
  const batcher = new Batcher({
    device,
    policy,
    latency: new LatencyModel(
      new Map([
        [1, 0.1],
        [256, 25.6],
      ]),
    ),
    clock: new ManualClock(),
    judge: judgeOf('sentiment', ['no', 'yes']),
    members,
    onBatch: () => undefined,
    onAnswer: (text, answer) => answers.push(`${text}=${answer}`),
  });
  const ask = (text: string, wantsDetail = false) => batcher.ask({ text, budgetMs: 50, wantsDetail });
  return { device, batcher, ask, answers };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Batcher', () => {
  it('takes in one batch what was asked in one go, and what came while a batch ran', async () => {
    const { device, ask, answers } = setUp();
    const first = [ask('yes'), ask('no')];
    await turn();
    const second = [ask('a'), ask('b'), ask('c')];
    await turn();
    expect(device.batches.map((batch) => batch.texts)).toEqual([['yes', 'no']]);
    device.batches[0]?.finish();
    expect((await Promise.all(first.map((each) => each.outcome))).map((outcome) => outcome.answer)).toEqual([
      'yes',
      'no',
    ]);
    await turn();
    expect(device.batches[1]?.texts).toEqual(['a', 'b', 'c']);
    device.batches[1]?.finish();
    expect((await second[0]?.outcome)?.batch).toBe(3);
    expect(answers).toEqual(['yes=yes', 'no=no', 'a=no', 'b=no', 'c=no']);
  });

  it('computes a text once for all who ask while it is computed', async () => {
    const { device, batcher, ask } = setUp();
    batcher.warm('same');
    const asked = [ask('same'), ask('same')];
    await turn();
    asked.push(ask('same'));
    device.batches[0]?.finish();
    expect((await Promise.all(asked.map((each) => each.outcome))).length).toBe(3);
    expect(device.batches.map((batch) => batch.texts)).toEqual([['same']]);
  });

  it('answers those who wait before rows that were read ahead', async () => {
    const { device, batcher, ask } = setUp();
    ask('running');
    await turn();
    for (let i = 0; i < 5; i++) batcher.warm(`ahead ${i}`);
    ask('demanded');
    ask('ahead 4');
    device.batches[0]?.finish();
    await turn();
    await turn();
    expect(device.batches[1]?.texts.slice(0, 2)).toEqual(['demanded', 'ahead 4']);
  });

  it('leaves out what nobody waits for any more', async () => {
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
    expect(device.batches[1]?.texts).toEqual(['shared']);
  });

  it('asks all members only when details are wanted', async () => {
    const { device, ask } = setUp(eager, 2);
    ask('a');
    await turn();
    device.batches[0]?.finish();
    await turn();
    ask('a', true);
    await turn();
    expect(device.batches.map((batch) => batch.members)).toEqual([1, 2]);
  });

  it('refuses a question when its queue is full, and takes questions again later', async () => {
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
    expect(device.batches[1]?.texts.length).toBe(256);
  });

  it('passes a failed batch on to those who asked, and goes on', async () => {
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
    expect(device.batches.map(({ texts }) => texts.length)).toEqual([3]);
    device.batches[0]?.finish();
    await turn();
    expect(device.batches[1]?.texts.length).toBe(1);
  });

  it('fails of a batch only the inputs that cannot be read', async () => {
    const { device, ask } = setUp();
    const asked = ['yes', 'broken', 'no'].map((text) => ask(text));
    const answers = asked.map(({ outcome }) => outcome.then(({ answer }) => answer).catch(({ message }) => message));
    for (let batch = 0; batch < 5; batch++) {
      await turn();
      const { texts = [], finish } = device.batches[batch] ?? {};
      finish?.(texts.includes('broken') ? new BadData('an image cannot be read') : undefined);
    }
    expect(await Promise.all(answers)).toEqual(['yes', 'an image cannot be read', 'no']);
  });

  it('answers what waits when it closes, and takes nothing new', async () => {
    const never: Policy = { name: 'never', decide: () => ({ kind: 'wait', ms: 1_000_000 }) };
    const { device, batcher, ask } = setUp(never);
    const asked = ask('a');
    batcher.warm('ahead');
    const closed = batcher.close();
    await turn();
    device.batches[0]?.finish();
    await closed;
    expect((await asked.outcome).answer).toBe('no');
    expect(device.batches.flatMap((batch) => batch.texts)).toEqual(['a']);
    expect(() => ask('b')).toThrowError(ShuttingDown);
  });
});
