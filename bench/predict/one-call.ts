import type { Database } from '../../src/db/database.ts';
import type { Figure } from '../figure.ts';
import { compare, median } from './measure.ts';
import { models, type PredictStage } from './stage.ts';

/** Rounds before those that count: the server's JavaScript is slow for its first ten thousand calls, until it is compiled. */
const WARM_UP = 100;

/**
 * One call inside a session, first with the bridge on TCP like its peer, then as with `rafiki up`, on a Unix socket: an
 * advantage that the peer does not have, so that line has no target.
 */
export async function* predictOne(stage: OneCallStage, rounds: number): AsyncIterable<Figure> {
  const { host, close } = await prepareCalls(stage);
  yield* oneCall(stage.session, rounds);
  await reachBridge(stage, host);
  for await (const figure of oneCall(stage.session, rounds)) {
    const { bar: _, ...rest } = figure;
    yield { ...rest, name: `${figure.name}-up`, ok: null, note: `bridge at ${host}, peer on TCP; no target` };
  }
  await close();
}

export type OneCallStage = Pick<PredictStage, 'session' | 'admin'>;

/** The bridge on TCP, and a dblink connection to Postgres. */
export async function prepareCalls(stage: OneCallStage): Promise<{ host: string; close(): Promise<void> }> {
  const { session, admin } = stage;
  const [bridge] = await admin.query<{ host: string }>('select host from rafiki.bridge_address');
  const host = bridge?.host ?? '127.0.0.1';
  const asker = await roleOf(session);
  await admin.query(`grant usage on schema rafiki_dblink to ${asker}`);
  await admin.query(`grant execute on all functions in schema rafiki_dblink to ${asker}`);
  await session.query(timerFunction);
  await session.query('set rafiki.read_ahead = off');
  await session.query(`select rafiki_dblink.dblink_connect('bench', $1)`, [session.url]);
  await reachBridge(stage, '127.0.0.1');
  const close = async (): Promise<void> => {
    await reachBridge(stage, host);
    await session.query('reset rafiki.read_ahead');
    await session.query(`select rafiki_dblink.dblink_disconnect('bench')`);
    await admin.query(`revoke all on schema rafiki_dblink from ${asker}`); // or the next start refuses the database
    await admin.query(`revoke all on all functions in schema rafiki_dblink from ${asker}`);
  };
  return { host, close };
}

async function roleOf(session: Database): Promise<string> {
  const [row] = await session.query<{ name: string }>('select quote_ident(current_user) as name');
  return row?.name ?? '';
}

/** Sets the address of the foreign server; the session reconnects at its next call. */
async function reachBridge({ session, admin }: OneCallStage, host: string): Promise<void> {
  await admin.query(`alter server rafiki_bridge options (set host '${host}')`);
  await session.query(
    `select rafiki_dblink.dblink_disconnect('rafiki') where 'rafiki' = any (rafiki_dblink.dblink_get_connections())`,
  );
}

/** A new text, and a cached one, compared with the cheapest dblink call. */
async function* oneCall(session: Database, rounds: number): AsyncIterable<Figure> {
  const times = await timesOfCalls(session, rounds);
  const peer = { unit: 'us', peer: "dblink 'select 1'", peerValue: median(times.lowerBound), bar: 2.5 };
  yield compare('predict-one', { value: median(times.unseen), ...peer });
  yield compare('predict-one-seen', { value: median(times.seen), ...peer });
}

const predict = (text: string): string => `select rafiki_predict('${models.fasttext}', ${text}) where $1 > 0`;

/** A query that predicts a text of its number `$1`; no text of another salt is repeated. */
export const predictNew = (salt: string): string => predict(`'w1 w20 w300 positive4 w512 ${salt} ' || $1`);

/**
 * Microseconds of calls of a new text, of a cached one, of the cheapest dblink call and of no function, in alternating
 * rounds. Read-ahead is off: single calls are separate statements, in which it never begins.
 */
export async function timesOfCalls(
  session: Database,
  rounds: number,
): Promise<Record<'unseen' | 'seen' | 'lowerBound' | 'nothing', number[]>> {
  const salt = performance.now();
  const shapes = {
    unseen: (round: number) => predictNew(`${salt} ${round}`),
    seen: () => predict(`'w1 w20 w300 positive4 w512'`),
    lowerBound: () => `select v from rafiki_dblink.dblink('bench', 'select 1') as t(v text) where $1 > 0`,
    nothing: () => 'select $1::text',
  };
  const times: Record<keyof typeof shapes, number[]> = { unseen: [], seen: [], lowerBound: [], nothing: [] };
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const shape of ['unseen', 'seen', 'lowerBound', 'nothing'] as const) {
      const [row] = await session.query<{ us: number[] }>('select pg_temp.bench_us($1, 100) as us', [
        shapes[shape](round),
      ]);
      if (round >= 0) times[shape].push(...(row?.us ?? []));
    }
  }
  return times;
}

/** Microseconds of each of `n` executions inside this session. */
export const timerFunction = `
  create function pg_temp.bench_us(query text, n int) returns float8[] language plpgsql as $$
  declare
    times float8[] := '{}';
    began timestamptz;
    answer text;
  begin
    for i in 1..n loop
      began := clock_timestamp();
      execute query into answer using i;
      times := times || extract(epoch from clock_timestamp() - began)::float8 * 1e6;
    end loop;
    return times;
  end $$`;
