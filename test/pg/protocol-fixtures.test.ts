import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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

  test.each(protocol.fingerprints)('the SQL fingerprint of $model, $input', async (request) => {
    const { statement, model, input, fingerprint } = request;
    expect(await asking.db.query('select rafiki._fingerprint($1, $2, $3) as named', [statement, model, input])).toEqual(
      [{ named: fingerprint }],
    );
  });
});
