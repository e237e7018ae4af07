import { describe, expect, it } from 'vitest';
import { ProtocolViolation } from '../../../src/errors/errors.ts';
import { PredictConversation } from '../../../src/serving/session/conversation.ts';
import { stageModel } from './staged-model.ts';

async function setUp() {
  const { connect, device } = await stageModel();
  const verbs = new PredictConversation(connect());
  const ask = async (...fields: string[]) => verbs.answer(fields.join('\x1f'));
  return { verbs, ask, device };
}

describe('the requests of the bridge', () => {
  it('P answers a label; the text keeps separators of its own', async () => {
    const { ask, device } = await setUp();
    expect(await ask('P', 'key', 'alice', '50ms', 'answer', '', 'yes\x1fit is')).toEqual({
      s: 'k',
      v: 'yes',
      loc: null,
    });
    expect(device.asked).toEqual(['yes\x1fit is']);
  });

  it('A answers an array literal with NULLs and quotes', async () => {
    const { ask } = await setUp();
    expect((await ask('A', 'key', 'alice', '', '', '["yes",null,"no"]')).v).toBe('{"yes",NULL,"no"}');
  });

  it('D answers details as JSON', async () => {
    const { ask } = await setUp();
    expect(JSON.parse((await ask('D', 'key', 'alice', '', '', 'yes')).v ?? '')).toMatchObject({
      label: 'yes',
      versions: [3],
    });
  });

  it('B answers an array literal of details', async () => {
    const { ask } = await setUp();
    expect((await ask('B', 'key', 'alice', '', '', '[null,"yes"]')).v).toMatch(
      /^\{NULL,"\{\\"label\\":\\"yes\\",\\"probabilities\\":\{\\"no\\":0\.1,\\"yes\\":0\.9\},.*\}"\}$/,
    );
  });

  it('E answers an explanation as JSON, of the class that is named', async () => {
    const { ask, device } = await setUp();
    expect(JSON.parse((await ask('E', 'key', 'alice', '', '', '"yes"', 'why not')).v ?? '')).toEqual({
      class: 'yes',
      score: 2.5,
      base: 0.5,
      contributions: [
        { feature: 'word 1', value: 'why', contribution: 1 },
        { feature: 'word 2', value: 'not', contribution: 1 },
      ],
    });
    expect(device.asked).toEqual(['1 why not']);
    await ask('E', 'key', 'alice', '', '', '', 'why not');
    expect(device.asked.at(-1)).toBe('-1 why not');
    await expect(ask('E', 'key', 'alice', '', '', '"maybe"', 'why not')).rejects.toMatchObject({
      sqlstate: '22023',
      message: 'model "m" has no class "maybe"',
      detail: 'It has no, yes.',
    });
  });

  it.each(['p', 'n', 'a', 'd', 'b', 'e', 'v'])('%s is the same request for images', async (verb) => {
    const { ask, device } = await setUp();
    const request = ['n', 'p'].includes(verb)
      ? ['', '', '', 'eWVz']
      : verb === 'v'
        ? ['', '["eWVz"]']
        : verb === 'e'
          ? ['', '', '', 'eWVz']
          : ['', '', '["eWVz"]'];
    await expect(ask(verb, 'key', 'alice', ...request)).rejects.toMatchObject({
      sqlstate: '22023',
      message: 'model "m" reads texts, but the input is an image',
    });
    expect(device.asked).toEqual([]);
  });

  it('gives a ticket for a slow answer, once, and to its own session only', async () => {
    const { ask, device } = await setUp();
    const { ask: other } = await setUp();
    device.slowMs = 150;
    const waiting = await ask('P', 'key', 'alice', '', '', '', 'slow');
    expect(waiting).toMatchObject({ s: 'w', v: expect.any(String) });
    await expect(other('R', waiting.v ?? '')).rejects.toMatchObject({ sqlstate: '42704' });
    expect(await ask('R', waiting.v ?? '')).toEqual({ s: 'k', v: 'no', loc: null });
    await expect(ask('R', waiting.v ?? '')).rejects.toMatchObject({ sqlstate: '42704' });
  });

  it('keeps eight pending answers of a session', async () => {
    const { ask, device } = await setUp();
    device.slowMs = 150;
    const replies = await Promise.all(
      Array.from({ length: 9 }, (_, i) => ask('P', 'key', 'alice', '', '', '', `slow ${i}`)),
    );
    expect(replies.map(({ s }) => s)).toEqual(new Array(9).fill('w'));
    const [first, ...others] = replies.map(({ v }) => v ?? '');
    await expect(ask('R', first ?? '')).rejects.toMatchObject({ sqlstate: '42704' });
    for (const ticket of others) expect(await ask('R', ticket)).toMatchObject({ s: 'k' });
  });

  const statement = '1.5 7:7: alice';
  const rows = Array.from({ length: 7 }, (_, i) => `no ${i}`);
  const look = JSON.stringify([...rows, null, 'yes 8', 'no 9']);
  const computed = () => new Promise((resolve) => setTimeout(resolve, 20));

  it('reads ahead for a scan, and lets the answers travel along with N', async () => {
    const { ask } = await setUp();
    const predict = (input: string) => ask('N', 'key', 'alice', '', '', statement, input);
    for (const row of rows) expect((await predict(row)).s).toBe('k');
    expect(await predict('no 7')).toMatchObject({ s: 'h', loc: '?;512' });
    await ask('V', 'key', 'alice', '1;2;;(0,9)', look);
    await computed();
    // few rows wait: first the database is asked for rows, then answers are prefetched
    expect(await predict('yes 8')).toMatchObject({ s: 'h', v: 'yes', loc: '+;64;1;2;;(0,9)' });
    await ask('V', 'key', 'alice', '1;2;;', '["yes 10"]');
    await computed();
    expect(await predict('no 9')).toEqual({
      s: 'k',
      v: 'no',
      loc: null,
      prefetched: [{ s: 'n', v: 'yes', loc: `${statement}\x1f1\x1fm\x1f=yes 10` }],
    });
  });

  it("does not read ahead for a statement with another role's rights", async () => {
    const { ask } = await setUp();
    for (let i = 0; i < 100; i++) {
      expect(await ask('N', 'key', 'alice', '', '', '1.5 7:7: owner', `no ${i}`)).toEqual({
        s: 'k',
        v: 'no',
        loc: null,
      });
    }
  });

  it.each([
    ['another role than was told to send them', 'mallory', look],
    ['a session without a read request', 'alice', look],
  ])('takes rows from %s', async (who, role, inputs) => {
    const { ask, device } = await setUp();
    if (who.startsWith('another')) {
      for (const row of [...rows, 'no 7']) await ask('N', 'key', 'alice', '', '', statement, row);
    }
    device.asked = [];
    expect(await ask('V', 'key', role, '1;2;;(0,9)', inputs)).toMatchObject({ s: 'k', v: null });
    await computed();
    expect(device.asked).toEqual([]);
  });

  it('checks the key before the rest of a request', async () => {
    const { ask, verbs } = await setUp();
    const unknown = { sqlstate: '42704' };
    await expect(ask('A', 'other', 'alice', 'soon', 'maybe', 'no json')).rejects.toMatchObject(unknown);
    await expect(ask('P', 'other', 'alice', 'soon')).rejects.toMatchObject(unknown);
    await expect(verbs.admit('A\x1fother\x1falice\x1f\x1f\x1f["', 2 ** 30)).rejects.toMatchObject(unknown);
    expect(() => verbs.admit('V\x1fother\x1falice\x1f\x1f["', 2 ** 20)).toThrowError(expect.objectContaining(unknown));
    expect(() => verbs.admit('V\x1fkey\x1falice\x1f\x1f["', 2 ** 20)).toThrowError(expect.objectContaining(unknown)); // not told to
    for (const row of [...rows, 'no 7']) await ask('N', 'key', 'alice', '', '', statement, row);
    expect(verbs.admit('V\x1fkey\x1falice\x1f\x1f["', 2 ** 20)).toBeUndefined();
    expect(() => verbs.admit('V\x1fother\x1falice\x1f\x1f["', 2 ** 20)).toThrowError(expect.objectContaining(unknown));
    // what was read ahead in vain is no reason to fail
    expect(await ask('V', 'other', 'alice', '1;2;;(0,9)', 'no json')).toMatchObject({ s: 'k', v: null });
  });

  it.each([
    ['A', '8 MiB (8388608 bytes)', 9 * 2 ** 20],
    ['p', '48 MiB (50331648 bytes)', 49 * 2 ** 20],
  ])('refuses %s above %s with 54000 and its size', async (verb, max, bytes) => {
    const { verbs } = await setUp();
    expect(() => verbs.admit(`${verb}\x1fkey\x1falice`, bytes)).toThrowError(
      expect.objectContaining({ sqlstate: '54000', detail: expect.stringContaining(max), hint: expect.any(String) }),
    );
    expect(verbs.admit(`${verb}\x1fkey\x1falice`, bytes / 2)).toBeUndefined();
  });

  it.each([
    [['X', 'key']],
    [['select 1']],
    [['S']],
    [['P', 'key', 'alice']],
    [['A', 'key', 'alice', '', '', 'not json']],
    [['A', 'key', 'alice', '', '', '{"a":1}']],
    [['A', 'key', 'alice', '', '', '[1]']],
    [['A', 'key', 'alice', '', '', '["\\u0000"]']],
    [['A', 'key', 'a'.repeat(1000), '', '', '["yes"]']],
    [['V', 'key', 'alice', 'p'.repeat(1000), '[]']],
    [['P', 'k'.repeat(1000), 'alice', '', '', '', 'yes']],
  ])('refuses %j as a violation of the protocol', async (fields) => {
    const { ask } = await setUp();
    await expect(ask(...fields)).rejects.toBeInstanceOf(ProtocolViolation);
  });

  it.each([
    ['a budget that is too long', ['P', 'key', 'alice', '1ms '.repeat(100_000), '', '', 'yes']],
    ['an on_overdue that is too long', ['P', 'key', 'alice', '', 'answer'.repeat(100_000), '', 'yes']],
    ['a budget that is none', ['P', 'key', 'alice', 'soon', '', '', 'yes']],
    ['an unknown value of on_overdue', ['P', 'key', 'alice', '', 'maybe', '', 'yes']],
  ])('refuses %s with 22023 and a hint', async (_, fields) => {
    const { ask } = await setUp();
    await expect(ask(...fields)).rejects.toMatchObject({ sqlstate: '22023', hint: expect.any(String) });
  });
});
