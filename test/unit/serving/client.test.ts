import { describe, expect, it } from 'vitest';
import type { LatencyOptions } from '../../../src/protocol/latency-options.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { Client } from '../../../src/serving/session/client.ts';
import { directoryOf, stageModel } from './staged-model.ts';

const latency: LatencyOptions = { budgetMs: null, onOverdue: 'answer' };

describe('Client', () => {
  it('computes each text once, then answers immediately from the cache', async () => {
    const { connect, device, model } = await stageModel();
    const client = connect();
    const request = { key: 'key', inputKind: 'text', role: 'a', input: 'yes', statement: '' } as const;
    expect(await client.scan(request, latency).label).toBe('yes');
    expect(client.scan(request, latency).label).toBe('yes');
    expect(device.asked).toEqual(['yes']);
    expect(model.stat).toMatchObject({ calls: 2, rows: 2, cached: 1, batches: 1 });
  });

  it('answers an array of any length in its order, null for null', async () => {
    const { connect } = await stageModel();
    const inputs = Array.from({ length: 3000 }, (_, i) => (i % 7 === 0 ? null : `${i % 2 === 0 ? 'y' : 'n'}${i}`));
    const labels = await connect().predictMany({ key: 'key', inputKind: 'text', role: 'a', inputs }, latency);
    expect(labels).toEqual(inputs.map((input) => (input === null ? null : input.startsWith('y') ? 'yes' : 'no')));
  });

  it('computes only those of an array that are not cached', async () => {
    const { connect, device, model } = await stageModel();
    const client = connect();
    const array = (inputs: string[]) => ({ key: 'key', inputKind: 'text', role: 'a', inputs }) as const;
    const known = Array.from({ length: 1000 }, (_, i) => `y${i}`);
    const unknown = Array.from({ length: 1000 }, (_, i) => `no, and it is longer ${i}`);
    await client.predictMany(array(known), latency);
    device.asked = [];
    await client.predictMany(array([...known, ...unknown].sort()), latency);
    expect(device.asked.toSorted()).toEqual(unknown.toSorted());
    expect(model.stat.cached).toBe(1000);
  });

  it('computes nothing more for an array of which a part has failed', async () => {
    const { connect, device, model } = await stageModel({ slots: 1 });
    const inputs = [`broken ${'x'.repeat(100)}`, ...Array.from({ length: 1023 }, (_, i) => `y${i}`)];
    const asked = connect().predictMany({ key: 'key', inputKind: 'text', role: 'a', inputs }, latency);
    await expect(asked).rejects.toThrow('the device is broken');
    expect(model.batcher.queued).toEqual({ demanded: 0, speculative: 0 });
    expect(device.asked.length).toBeLessThan(inputs.length);
  });

  it('does not block others while it answers a long cached array', async () => {
    const { connect } = await stageModel();
    const inputs = Array.from({ length: 5000 }, (_, i) => `y${i % 100}`);
    const array = { key: 'key', inputKind: 'text', role: 'a', inputs } as const;
    await connect().predictMany(array, latency);
    let turns = 0;
    const count = (): void => {
      turns++;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    await connect().predictMany(array, latency);
    clearImmediate(counting);
    expect(turns).toBeGreaterThan(1);
  });

  it('waits for an answer if the budget is longer than a timer can be', async () => {
    const { connect, device } = await stageModel();
    device.slowMs = 60;
    const budgetMs = 26 * 86_400_000;
    for (const onOverdue of ['error', 'null'] as const) {
      const inputs = [`slow ${onOverdue}`];
      const asked = connect().predictMany(
        { key: 'key', inputKind: 'text', role: 'a', inputs },
        { budgetMs, onOverdue },
      );
      expect(await asked).toEqual(['no']);
    }
  });

  it('shows details: label, probabilities, versions, batch, time', async () => {
    const { connect } = await stageModel();
    expect(await connect().detail({ key: 'key', inputKind: 'text', role: 'a', input: 'yes' }, latency)).toEqual({
      label: 'yes',
      probabilities: { no: 0.1, yes: 0.9 },
      versions: [3],
      rule: 'vote',
      members: [{ family: 'f', score: 0.9 }],
      batch: 1,
      ms: expect.any(Number),
      overdue: false,
    });
  });

  it('explains an answer beside the queue of predictions, in the time that the caller has', async () => {
    const { connect, device, model } = await stageModel();
    const request = { key: 'key', inputKind: 'text', role: 'a', input: 'slow words', about: null } as const;
    expect(await connect().explain(request, latency)).toMatchObject({ class: 'no', score: 2.5 });
    expect(model.stat).toMatchObject({ calls: 1, batches: 1 });
    device.slowMs = 200;
    const hasty = { budgetMs: 20, onOverdue: 'null' } as const;
    expect(await connect().explain(request, hasty)).toBeNull();
    const asked = connect().explain({ ...request, input: 'slow end' }, latency);
    await new Promise((resolve) => setImmediate(resolve));
    await model.release(); // after its explanations
    expect(await asked).toMatchObject({ base: 0.5 });
  });

  it('shows details of an array in its order, null for null, and counts one call', async () => {
    const { connect, model } = await stageModel();
    const inputs = Array.from({ length: 3000 }, (_, i) => (i % 7 === 0 ? null : `${i % 2 === 0 ? 'y' : 'n'}${i}`));
    const patient = { budgetMs: 60_000, onOverdue: 'answer' } as const;
    const details = await connect().detailMany({ key: 'key', inputKind: 'text', role: 'a', inputs }, patient);
    const expected = inputs.map((input) => (input === null ? null : input.startsWith('y') ? 'yes' : 'no'));
    expect(details.map((detail) => (detail !== null && 'label' in detail ? detail['label'] : null))).toEqual(expected);
    expect(details[1]).toMatchObject({ probabilities: { no: 0.9, yes: 0.1 }, versions: [3], overdue: false });
    expect(model.stat).toMatchObject({ calls: 1, rows: 3000 });
  });

  it('leaves out late details if on_overdue is null', async () => {
    const { connect, device } = await stageModel();
    device.slowMs = 200;
    const array = { key: 'key', inputKind: 'text', role: 'a', inputs: ['slow 1'] } as const;
    const hasty = { budgetMs: 20, onOverdue: 'null' } as const;
    expect(await connect().detailMany(array, hasty)).toEqual([null]);
  });

  it('refuses details whose reply would be long to write, never those of one input', async () => {
    const { connect, model } = await stageModel();
    model.row.classes = Array.from({ length: 9000 }, (_, i) => `class ${i}`);
    const ask = (rows: number) =>
      connect().detailMany(
        { key: 'key', inputKind: 'text', role: 'a', inputs: new Array<string>(rows).fill('yes') },
        latency,
      );
    await expect(ask(100)).rejects.toMatchObject({ sqlstate: '54000', hint: expect.stringContaining('Split') });
    expect(await ask(1)).toHaveLength(1);
  });

  it('counts an answer after the model’s own budget as overdue, and gives it', async () => {
    const { connect, device, model } = await stageModel();
    device.slowMs = 60;
    expect(await connect().detail({ key: 'key', inputKind: 'text', role: 'a', input: 'slow' }, latency)).toMatchObject({
      label: 'no',
      overdue: true,
    });
    expect(model.stat.overdue).toBe(1);
  });

  it.each([
    ['null', (answer: Promise<unknown>) => expect(answer).resolves.toBeNull()],
    [
      'error',
      (answer: Promise<unknown>) =>
        expect(answer).rejects.toMatchObject({ sqlstate: '57014', hint: expect.any(String) }),
    ],
  ] as const)('gives %s at the deadline where that is asked for', async (onOverdue, expected) => {
    const { connect, device } = await stageModel();
    device.slowMs = 1000;
    const startedMs = performance.now();
    await expected(
      Promise.resolve(
        connect().scan(
          { key: 'key', inputKind: 'text', role: 'a', input: 'slow', statement: '' },
          { budgetMs: 20, onOverdue },
        ).label,
      ),
    );
    expect(performance.now() - startedMs).toBeLessThan(500);
  });

  it('gives the answers of an array that are there at the deadline, null for the others', async () => {
    const { connect, device } = await stageModel();
    device.slowMs = 1000;
    const client = connect();
    await client.predictMany({ key: 'key', inputKind: 'text', role: 'a', inputs: ['yes'] }, latency);
    const labels = await client.predictMany(
      { key: 'key', inputKind: 'text', role: 'a', inputs: ['yes', 'slow'] },
      { budgetMs: 50, onOverdue: 'null' },
    );
    expect(labels).toEqual(['yes', null]);
  });

  it('ends what it waits for when it is cancelled', async () => {
    const { connect, device } = await stageModel();
    device.slowMs = 1000;
    const client = connect();
    const answers = [
      client.predictMany({ key: 'key', inputKind: 'text', role: 'a', inputs: ['slow 1', 'slow 2'] }, latency),
      client.detail({ key: 'key', inputKind: 'text', role: 'a', input: 'slow 3' }, latency),
    ];
    setTimeout(() => client.cancel(), 10);
    for (const answer of await Promise.allSettled(answers)) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { sqlstate: '57014' } });
    }
  });

  it('raises 42704 for a key without a deployment', async () => {
    const { connect } = await stageModel();
    await expect(
      connect().detail({ key: 'other', inputKind: 'text', role: 'a', input: 'yes' }, latency),
    ).rejects.toMatchObject({
      sqlstate: '42704',
    });
  });

  it('refuses an image if the model reads texts', async () => {
    const { connect, device } = await stageModel();
    const image = { key: 'key', inputKind: 'image', role: 'a', input: 'eWVz' } as const;
    const refusal = { sqlstate: '22023', message: expect.stringContaining('"m"'), hint: expect.any(String) };
    await expect(connect().detail(image, latency)).rejects.toMatchObject(refusal);
    await expect(connect().predictMany({ ...image, inputs: [image.input] }, latency)).rejects.toMatchObject(refusal);
    expect(() => connect().scan({ ...image, statement: '' }, latency)).toThrowError(expect.objectContaining(refusal));
    expect(device.asked).toEqual([]);
  });

  it('prefetches answers for several models of one statement in turn', async () => {
    const staged = { one: await stageModel(), two: await stageModel() };
    const models = directoryOf({ one: staged.one.model, two: staged.two.model });
    const client = new Client({ models, clock: systemClock });
    const ask = (key: string, row: number) =>
      client.scan({ key, inputKind: 'text', role: 'a', input: `yes ${row}`, statement: 's' }, latency);
    const inputs = Array.from({ length: 20 }, (_, row) => (row === 7 ? null : `yes ${row}`));
    for (let row = 0; row < 8; row++) {
      for (const key of ['one', 'two']) {
        const { label, readRequest } = ask(key, row);
        await label;
        if (readRequest !== null) client.readAhead({ key, inputKind: 'text', role: 'a' }, { place: '1;2;;', inputs })();
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ask('one', 8).label).toBe('yes');
    const prefetched = client.prefetched(() => true);
    expect(prefetched.slice(0, 4).map(({ input }) => input)).toEqual(['yes 8', 'yes 9', 'yes 9', 'yes 10']);
    expect(prefetched).toHaveLength(23);
    expect(client.prefetched(() => true)).toEqual([]);
  });

  it('reads ahead for each of several columns of one statement with one model', async () => {
    const { connect } = await stageModel();
    const client = connect();
    const columns = ['yes', 'no'].map((word) => Array.from({ length: 300 }, (_, row) => `${word} ${row}`));
    const database = (
      readRequest: string,
      column: number,
      row: number,
    ): { place: string; inputs: (string | null)[] } => {
      const [kind, count, , wished, , from] = readRequest.split(';');
      const inputs = columns[kind === '?' ? column : Number(wished)] ?? [];
      const [low, high] = kind === '?' ? [0, row + 64] : [Number(from), Number(from) + Number(count)];
      const place = `1;${kind === '?' ? column : wished};;${high < inputs.length ? high : ''}`;
      return { place, inputs: inputs.slice(low, high).map((input, i) => (kind === '?' && i === row ? null : input)) };
    };
    let asked = 0;
    let prefetched: string[] = [];
    const ask = async (column: number, row: number): Promise<void> => {
      const input = columns[column]?.[row] ?? '';
      if (prefetched.shift() === input) return;
      asked++;
      const { label, readRequest } = client.scan(
        { key: 'key', inputKind: 'text', role: 'a', input, statement: 's' },
        latency,
      );
      expect(await label).toBe(input.split(' ')[0]);
      if (readRequest !== null)
        client.readAhead({ key: 'key', inputKind: 'text', role: 'a' }, database(readRequest, column, row))();
      await new Promise((resolve) => setTimeout(resolve, 2)); // what was read ahead is computed
      prefetched = client.prefetched(() => true).map((answer) => answer.input);
    };
    for (let row = 0; row < 300; row++) for (const column of columns.keys()) await ask(column, row);
    expect(asked).toBeLessThan(60);
  });
});
