import { describe, expect, it } from 'vitest';
import { Verbs } from '../../../src/bridge/verbs.ts';
import { ProtocolViolation } from '../../../src/errors/errors.ts';
import { stageModel } from '../serving/staged-model.ts';

async function setUp() {
  const { connect, device } = await stageModel();
  const verbs = new Verbs({
    connect,
    describe: () => ({ policy: 'eager', memory: { usedBytes: 0, budgetBytes: 1 }, models: [] }),
  });
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

  it('D answers details as JSON, S what is loaded', async () => {
    const { ask } = await setUp();
    expect(JSON.parse((await ask('D', 'key', 'alice', '', '', 'yes')).v ?? '')).toMatchObject({
      label: 'yes',
      versions: [3],
    });
    expect(JSON.parse((await ask('S')).v ?? '')).toMatchObject({ policy: 'eager', models: [] });
  });

  it.each(['p', 'n', 'a', 'd', 'v'])('%s asks of images what the capital asks of texts', async (verb) => {
    const { ask, device } = await setUp();
    const request = ['n', 'p'].includes(verb)
      ? ['', '', '', 'eWVz']
      : verb === 'v'
        ? ['', '["eWVz"]']
        : ['', '', '["eWVz"]'];
    await expect(ask(verb, 'key', 'alice', ...request)).rejects.toMatchObject({
      sqlstate: '22023',
      message: 'model "m" reads texts and was given an image',
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

  it.each([
    ['to the role of the session', 'alice', ['yes 10']],
    ['to nobody who predicts with the rights of another', 'owner', []],
  ])('reads ahead for a scan, and lets the answers travel along with N %s', async (_, caller, along) => {
    const { ask } = await setUp();
    const statement = `1.5 7:7: ${caller}`;
    const predict = (text: string) => ask('N', 'key', 'alice', '', '', statement, text);
    for (let i = 0; i < 7; i++) expect((await predict(`no ${i}`)).s).toBe('k');
    expect(await predict('no 7')).toMatchObject({ s: 'h', loc: '?;512' });
    const rows = Array.from({ length: 7 }, (_, i) => `no ${i}`);
    await ask('V', 'key', 'alice', '1;2;;(0,9)', JSON.stringify([...rows, null, 'yes 8', 'no 9']));
    await new Promise((resolve) => setTimeout(resolve, 20));
    // few rows wait: the database is told to read on first, then answers go along
    expect(await predict('yes 8')).toMatchObject({ s: 'h', v: 'yes', loc: '+;64;1;2;;(0,9)' });
    await ask('V', 'key', 'alice', '1;2;;', '["yes 10"]');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await predict('no 9')).toEqual({
      s: 'k',
      v: 'no',
      loc: null,
      along: along.map((text) => ({ s: 'n', v: 'yes', loc: `${statement}\x1f1\x1fm\x1f=${text}` })),
    });
  });

  it.each([
    [['X', 'key']],
    [['select 1']],
    [['P', 'key', 'alice']],
    [['A', 'key', 'alice', '', '', 'not json']],
    [['A', 'key', 'alice', '', '', '{"a":1}']],
    [['A', 'key', 'alice', '', '', '[1]']],
  ])('refuses %j as a violation of the protocol', async (fields) => {
    const { ask } = await setUp();
    await expect(ask(...fields)).rejects.toBeInstanceOf(ProtocolViolation);
  });

  it.each([
    ['a budget that is none', ['P', 'key', 'alice', 'soon', '', '', 'yes']],
    ['an unknown wish for late answers', ['P', 'key', 'alice', '', 'maybe', '', 'yes']],
  ])('refuses %s with 22023 and a hint', async (_, fields) => {
    const { ask } = await setUp();
    await expect(ask(...fields)).rejects.toMatchObject({ sqlstate: '22023', hint: expect.any(String) });
  });
});
