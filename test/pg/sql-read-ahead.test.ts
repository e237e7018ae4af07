import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import type { Reply } from '../../src/protocol/reply.ts';
import { type AskingSession, startAsking } from '../support/asking-session.ts';
import { reply, type ScriptedBridge } from '../support/scripted-bridge.ts';

let db: Database;
let alice: Database;
let bridge: ScriptedBridge;
let asking: AskingSession;
let ask: AskingSession['ask'];

beforeEach(async () => {
  asking = await startAsking();
  ({ db, alice, bridge, ask } = asking);
});
afterEach(() => asking.stop());

describe('reading ahead', () => {
  /** Place and texts that were sent. */
  const sent = (): [string, (string | null)[]][] =>
    bridge.requests
      .filter(([verb]) => verb?.toUpperCase() === 'V')
      .map((fields) => [fields[3] ?? '', readInputs(fields[4] ?? '')]);
  const ends = (texts: readonly (string | null)[]): unknown[] => [texts[0], texts.at(-1), texts.length];

  /** Answers each request with the next read request; `place` in it is the last one that was sent. */
  const readRequest = (...readRequests: string[]): void => {
    bridge.requests = [];
    bridge.answer = (fields) => {
      if (fields[0]?.toUpperCase() === 'V') return reply(null);
      const next = readRequests.shift();
      return next === undefined ? reply('x') : reply('x', 'h', next.replace('place', sent().at(-1)?.[0] ?? ''));
    };
  };

  beforeEach(async () => {
    await db.query(`create table texts (body text, secret text)`);
    await db.query(`insert into texts select 't' || i, 's' || i from generate_series(1, 1100) i`);
    await db.query(`grant select on texts to public`);
  });

  test('sends the rows around the current one, then those after and before, to the ends of the table', async () => {
    readRequest('?;512', '+;100;place', '-;100;place', '+;5000;place', '-;5000;place');
    await alice.query(`select rafiki_predict('m', body) from (select body from texts offset 600 limit 5) t`);
    const [look, ...windows] = sent();
    expect(look?.[1].map((text) => text ?? '?')).toEqual(
      Array.from({ length: 129 }, (_, i) => (i === 64 ? '?' : `t${i + 537}`)),
    );
    expect(windows.map(([, texts]) => ends(texts))).toEqual([
      ['t666', 't765', 100],
      ['t437', 't536', 100],
      ['t766', 't1100', 335],
      ['t1', 't436', 436],
    ]);
    expect(sent().at(-1)?.[0]).toMatch(/^\d+;1;;$/);
  });

  test('finds a row at the end of a long table if the search is limited', async () => {
    await db.query('analyze texts');
    readRequest('?;10', '?;10');
    await alice.query(
      `select rafiki_predict('m', body) from (select body from texts where body in ('t600', 't1099')) t`,
    );
    expect(sent().map(([, texts]) => texts.length)).toEqual([0, 66]);
  });

  test('reads only what the caller may read', async () => {
    const asked = async (): Promise<unknown> => {
      readRequest('?;512');
      await alice.query(`select rafiki_predict('m', body) from (select body from texts_view limit 1) t`);
      return sent().map(([, texts]) => texts);
    };
    await db.query('create view texts_view as table texts');
    await db.query('grant select on texts_view to public');
    expect(await asked()).toEqual([[null, ...Array.from({ length: 64 }, (_, i) => `t${i + 2}`)]]);
    await db.query('alter table texts enable row level security');
    await db.query(`create policy one on texts using (body in ('t1', 't3'))`);
    expect(await asked()).toEqual([[null, 't3']]);
    await db.query('revoke select on texts from public');
    expect(await asked()).toEqual([[]]);
  });

  test('ends if no column has the text, or the place does not exist', async () => {
    readRequest('?;512');
    await alice.query(`select rafiki_predict('m', md5(body)) from (select body from texts limit 1) t`);
    expect(sent()).toEqual([['', []]]);
    readRequest('+;64;1;1;(0,0);(0,0)');
    await alice.query(`select rafiki_predict('m', 'x')`);
    expect(sent()).toEqual([['', []]]);
  });

  test('takes prefetched answers for this statement, model and text, and discards the others', async () => {
    const label = (statement: string, model: string, text: string): Reply =>
      reply(`along ${text}`, 'n', [statement, model.length, model, `=${text}`].join('\x1f'));
    bridge.answer = ([, , , , , statement = '', text = '']) => ({
      ...reply(`asked ${text}`),
      prefetched: [
        label('another', 'm', 't2'),
        label(statement, 'another', 't2'),
        label(statement, 'm', 't9'),
        label(statement, 'm', 't2'),
        label(statement, 'm', 't4'),
      ],
    });
    const rows = await alice.query<{ v: string }>(
      `select rafiki_predict('m', body) as v from (select body from texts limit 5) t`,
    );
    expect(rows.map(({ v }) => v)).toEqual(['asked t1', 'along t2', 'asked t3', 'along t4', 'asked t5']);
    expect(await ask(`rafiki_predict('m', 't2')`)).toBe('asked t2');
  });
});
