import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readInputs } from '../../src/protocol/input-array.ts';
import { type AskingSession, startAsking } from '../support/asking-session.ts';
import { protocol } from '../support/protocol-fixtures.ts';
import { reply } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';

let asking: AskingSession;

beforeEach(async () => {
  asking = await startAsking();
});
afterEach(() => asking.stop());

describe('the protocol fixtures', () => {
  test.each(protocol.calls)('SQL sends and parses $call', async ({ call, exchanges, answer, error }) => {
    const { db, alice, bridge, ask } = asking;
    await db.query(
      `create table inputs as select * from (values ('a', '\\x01'::bytea), ('b', '\\x02')) t (body, image)`,
    );
    await db.query('grant select on inputs to public');
    await asking.deploy();
    let statement = '';
    const replies = [...exchanges];
    bridge.answer = (sent) => {
      const { request = [], reply: next = reply(null) } = replies.shift() ?? {};
      statement ||= sent[request.indexOf('STATEMENT')] ?? '';
      return JSON.parse(JSON.stringify(next).replaceAll('STATEMENT', statement));
    };
    if (error === undefined) expect(await ask(call)).toEqual(answer);
    else {
      const { sqlstate: code, ...rest } = error;
      expect(await failureOf(alice, `select ${call}`)).toEqual({ code, ...rest });
    }
    const [known] = await db.query<{ KEY: string; ROLE: string; RELATION: string }>(
      `select a.key as "KEY", m.owner::text as "ROLE", 'inputs'::regclass::oid::text as "RELATION"
       from rafiki.model m join rafiki.model_access a using (id)`,
    );
    const names = Object.entries({ ...known, STATEMENT: statement });
    const expected = exchanges.map(({ request }) =>
      request.map((field) => names.reduce((text, [name, value]) => text.replaceAll(name, value), field)),
    );
    expect(bridge.requests).toEqual(expected);
  });

  test.each(['UTF8', 'LATIN1'])('SQL sends the texts of an array as they are to a client in %s', async (encoding) => {
    const texts = ['', 'a\x1fb', '"\\', 'NULL', '{"a": "b\\n"}', ...(encoding === 'UTF8' ? ['é', '日本', '😀'] : [])];
    const [row] = await asking.db.query<{ packed: string }>(
      `with encoding as materialized (select set_config('client_encoding', $2, true) as set)
       select rafiki._packed(array_append($1::text[], null)) as packed from encoding where set is not null`,
      [texts, encoding],
    );
    expect(readInputs(row?.packed ?? '')).toEqual([...texts, null]);
  });

  test.each(protocol.fingerprints)('the SQL fingerprint of $model, $input', async (request) => {
    const { statement, model, input, fingerprint } = request;
    expect(await asking.db.query('select rafiki._fingerprint($1, $2, $3) as named', [statement, model, input])).toEqual(
      [{ named: fingerprint }],
    );
  });
});
