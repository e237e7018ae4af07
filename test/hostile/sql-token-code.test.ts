import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import type { TrainedModel } from '../../src/domain/training.ts';
import { type HttpClient, httpClient, tokenClient } from '../support/http-client.ts';
import type { TestHttp } from '../support/http-server.ts';
import { postgresVersion } from '../support/postgres.ts';
import { trainTinyModel } from '../support/tiny-model.ts';
import { createToken, sha256, startTokenStage, type TokenStage, tokenCallOf } from '../support/token-stage.ts';

/** Attacks by code of roles that runs while another role's token is used. */
let trained: TrainedModel;
let stage: TokenStage;
let db: Database;
let http: TestHttp;
let mallory: Database;
let malloryRole: string;
let victim: Database;
let victimRole: string;
let victimToken: string;
let asVictim: HttpClient;

beforeAll(async () => {
  trained = await trainTinyModel();
});
beforeEach(async () => {
  stage = await startTokenStage(trained);
  ({ db, http, mallory, malloryRole, victim, victimRole, victimToken, asVictim } = stage);
});
afterEach(() => stage.stop());

/** A view of `owner` whose reading runs `code`, a block of PL/pgSQL, with the rights of its reader; and a table that keeps what it finds. */
async function trap(owner: Database, role: string, code: string): Promise<string> {
  await owner.query(`create table ${role}.found (what text); grant insert, select on ${role}.found to public`);
  await owner.query(
    `create function ${role}.look(text) returns text language plpgsql as $f$ begin ${code} return $1; end $f$`,
  );
  await owner.query(
    `create view ${role}.rows as select l as label, ${role}.look(b) as body from (values ('pos', 'good'), ('neg', 'bad'), ('pos', 'fine')) v (l, b)`,
  );
  await owner.query(`grant usage on schema ${role} to public; grant select on ${role}.rows to public`);
  return `${role}.rows`;
}

const evaluate = (client: HttpClient, source: string) =>
  client<{ error?: { code: string; message: string } }>('POST', '/v1/models/open/evaluate', {
    source,
    target: 'label',
    feature: 'body',
  });

test('code that runs during a call has the rights of the role, and cannot leave it', async () => {
  const kept = (what: string): string => `insert into ${malloryRole}.found values (${what});`;
  const source = await trap(
    mallory,
    malloryRole,
    `${kept(`'current ' || current_user`)} ${kept(`'session ' || session_user`)} ${kept('current_query()')}
     ${kept(`(select coalesce(string_agg(a.query, ' '), '') from pg_stat_activity a where a.usename = session_user)`)}
     ${kept(`(select coalesce(string_agg(s.statement, ' '), '') from pg_prepared_statements s)`)}
     begin reset role; ${kept(`'after reset ' || current_user`)} exception when others then ${kept('sqlstate')} end;
     begin set role rafiki_reader; ${kept(`'after set ' || current_user`)} exception when others then ${kept('sqlstate')} end;
     begin set session authorization default; ${kept(`'after default ' || current_user`)} exception when others then ${kept('sqlstate')} end;
     begin perform public.rafiki_create_token('stolen'); ${kept(`'token'`)} exception when others then ${kept('sqlstate')} end;`,
  );
  const asMallory = tokenClient(http.url, await createToken(mallory, 'app'));
  expect((await evaluate(asMallory, source)).status).toBe(200);
  expect((await evaluate(asVictim, source)).status).toBe(200);
  const found = (await db.query<{ what: string }>(`select distinct what from ${malloryRole}.found`)).map(
    ({ what }) => what,
  );
  const all = found.join('\n');
  for (const secret of [victimToken, sha256(victimToken), sha256(sha256(victimToken))])
    expect(all).not.toContain(secret);
  expect(all).not.toMatch(/after (reset|set|default)|^token$/m);
  expect(found).toEqual(expect.arrayContaining([`current ${victimRole}`, 'session rafiki_reader']));
  expect(await db.query(`select from rafiki.token t where t.name = 'stolen'`)).toEqual([]);
});

test('what runs after a call is the reader at most, which reaches nothing', async () => {
  const kept = (what: string): string => `insert into ${malloryRole}.found values (${what});`;
  // before PostgreSQL 18 a deferred trigger fires as the role of the session: the function admits that session, but not without the token's hash
  const call = (await tokenCallOf(db, victimRole)).replace('$1', `''`).replace('$2', `'models'`).replaceAll("'", "''");
  await mallory.query(
    `create table ${malloryRole}.found (what text); grant insert, select on ${malloryRole}.found to public`,
  );
  await mallory.query(`
    create function ${malloryRole}.late() returns trigger language plpgsql security invoker as $f$
    begin
      ${kept(`'fired as ' || current_user`)}
      begin execute 'select ${call}'; ${kept(`'called'`)} exception when others then ${kept(`'call ' || sqlstate`)} end;
      begin perform 1 from rafiki.model_key; ${kept(`'keys'`)} exception when others then ${kept(`'keys ' || sqlstate`)} end;
      begin perform 1 from rafiki.token; ${kept(`'tokens'`)} exception when others then ${kept(`'tokens ' || sqlstate`)} end;
      return null;
    end $f$`);
  await mallory.query(`create table ${malloryRole}.queue (x text)`);
  await mallory.query(`
    create constraint trigger later after insert on ${malloryRole}.queue deferrable initially deferred for each row execute function ${malloryRole}.late()`);
  await mallory.query(`
    create function ${malloryRole}.put(text) returns text language plpgsql security definer as $f$
    begin insert into ${malloryRole}.queue values ($1); return $1; end $f$`);
  await mallory.query(`
    create view ${malloryRole}.rows as select l as label, ${malloryRole}.put(b) as body from (values ('pos', 'good'), ('neg', 'bad')) v (l, b)`);
  await mallory.query(`grant usage on schema ${malloryRole} to public; grant select on ${malloryRole}.rows to public`);
  const asked = await evaluate(asVictim, `${malloryRole}.rows`);
  const found = await db.query<{ what: string }>(`select distinct what from ${malloryRole}.found order by what`);
  // before 18 it would fire as the role of the session: the call is refused, and it does not fire at all
  expect([asked.status, found.map(({ what }) => what)]).toEqual(
    postgresVersion() >= 18
      ? [200, ['call 42501', `fired as ${malloryRole}`, 'keys 42501', 'tokens 42501']]
      : [409, []],
  );
});

test('what a call leaves in its session does not reach the next one', async () => {
  // what the first row of a statement finds, before it changes everything
  const source = await trap(
    victim,
    victimRole,
    `if not exists (select from ${victimRole}.found f where f.what like statement_timestamp() || '|%') then
       insert into ${victimRole}.found values (concat_ws('|', statement_timestamp(), pg_backend_pid(), current_setting('statement_timeout'),
         coalesce(nullif(current_setting('rafiki.latency_budget', true), ''), 'none'), coalesce(to_regclass('pg_temp.left_over')::text, 'no table'),
         (select count(*) from pg_listening_channels()), (select count(*) from pg_prepared_statements where name = 'left_over')));
     end if;
     perform set_config('search_path', '${victimRole}', false), set_config('statement_timeout', '0', false), set_config('rafiki.latency_budget', '1min', false);
     create temporary table if not exists left_over (x int); listen left_over;
     if not exists (select from pg_prepared_statements where name = 'left_over') then execute 'prepare left_over as select 1'; end if;`,
  );
  for (let i = 0; i < 2; i++) expect((await evaluate(asVictim, source)).status).toBe(200);
  const found = await db.query<{ what: string }>(`select what from ${victimRole}.found order by what`);
  const left = found.map(({ what }) => what.split('|').slice(1));
  const [pid] = left[0] ?? [];
  expect(left).toEqual(Array.from({ length: 2 }, () => [pid, '10min', 'none', 'no table', '0', '0'])); // in one session
});

test('a token ends no other token of its role, nor does code that runs in its calls', async () => {
  const other = await createToken(victim, 'other');
  const refused = await asVictim('DELETE', '/v1/tokens/other');
  expect(refused).toMatchObject({
    status: 403,
    body: { error: { code: '42501', hint: expect.stringContaining('password') } },
  });
  const source = await trap(
    mallory,
    malloryRole,
    `begin perform public.rafiki_revoke_token('other'); insert into ${malloryRole}.found values ('revoked');
     exception when others then insert into ${malloryRole}.found values (sqlstate); end;`,
  );
  await evaluate(asVictim, source);
  expect(await db.query(`select distinct what from ${malloryRole}.found`)).toEqual([{ what: '42501' }]);
  expect((await tokenClient(http.url, other)('GET', '/v1/me')).status).toBe(200);
  expect((await asVictim('DELETE', '/v1/tokens/app')).status).toBe(200);
  expect((await httpClient(http.url, victimRole)('DELETE', '/v1/tokens/other')).status).toBe(200);
  expect(await db.query('select from rafiki.token')).toEqual([]);
});
