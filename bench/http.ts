import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BridgeSessionClient, selectBridges } from '../src/db/bridge-login.ts';
import type { Database } from '../src/db/database.ts';
import type { Figure } from './figure.ts';
import { RawClient } from './http/raw-client.ts';
import { byTurns, compare, freshTable, median, roundsOf } from './predict/measure.ts';
import { models, type PredictStage, startStage } from './predict/stage.ts';

const MODEL = models.fasttext;
const PREDICT = `/v1/models/${MODEL}/predict`;
const CONNECTIONS = 64;
const ROWS = 10_000;

/** Predictions by HTTP, against a route that returns a constant, the servers themselves, and SQL. */
export async function* httpBench({ quick }: { quick: boolean }): AsyncIterable<Figure> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  const stage = await startStage(dataDir);
  try {
    yield* one(stage, quick ? 400 : 4000);
    yield* many(stage, quick ? 2 : 8);
    yield await array(stage, roundsOf(quick));
  } finally {
    await stage.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const named = (figure: Figure): Figure => ({ ...figure, bench: 'http' });

function authorizationOf({ url }: PredictStage): string {
  const { username, password } = new URL(url);
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
}

const text = (salt: string, i: number): string => `w1 w20 w300 positive4 w512 ${salt} ${i}`;
const query = (it: string): string => JSON.stringify({ query: it });
/** It passes through all of the HTTP server, but needs no prediction server. */
const noQuery = JSON.stringify({ query: null });

/** Microseconds. */
async function timeOf(client: RawClient, body: string): Promise<number> {
  const startedMs = performance.now();
  await client.ask(body);
  return (performance.now() - startedMs) * 1000;
}

/** One connection, one request after the other; the sides take turns, request by request. */
async function* one(stage: PredictStage, rounds: number): AsyncIterable<Figure> {
  const child = fork(path.join(import.meta.dirname, 'http/constant-process.ts'), { execArgv: ['--import', 'tsx'] });
  const port = await new Promise<number>((resolve) => child.once('message', (it) => resolve(Number(it))));
  const authorization = authorizationOf(stage);
  const constant = await RawClient.open(`http://127.0.0.1:${port}`, '/constant', authorization);
  const predictions = await RawClient.open(stage.httpUrl, PREDICT, authorization);
  const sides = ['constant', 'none', 'seen', 'unseen'] as const;
  const times = { constant: [], none: [], seen: [], unseen: [] } satisfies Record<(typeof sides)[number], number[]>;
  const warmUp = 1000;
  for (let i = 0; i < warmUp + rounds; i++) {
    const round = {
      constant: await timeOf(constant, query(text('seen', 0))),
      none: await timeOf(predictions, noQuery),
      seen: await timeOf(predictions, query(text('seen', 0))),
      unseen: await timeOf(predictions, query(text('unseen', i))),
    };
    if (i < warmUp) continue;
    for (const side of sides) (times[side] as number[]).push(round[side]);
  }
  const peer = { unit: 'us', peer: 'a fastify route that returns a constant', peerValue: median(times.constant) };
  yield named(compare('http-one', { value: median(times.unseen), ...peer, bar: 2 }));
  yield named(compare('http-one-seen', { value: median(times.seen), ...peer, bar: 2 }));
  yield named(compare('http-one-none', { value: median(times.none), ...peer }));
  for (const client of [constant, predictions]) client.close();
  child.disconnect();
}

/** Answers a second of so many askers, each of which asks one new text after the other. */
async function rate(askers: readonly ((i: number) => Promise<unknown>)[], seconds: number): Promise<number> {
  const untilMs = performance.now() + 1000 * seconds;
  let answered = 0;
  await Promise.all(
    askers.map(async (ask) => {
      while (performance.now() < untilMs) {
        await ask(answered);
        answered++;
      }
    }),
  );
  return answered / seconds;
}

/** 64 connections; the servers' own rate is that of 64 sessions, as backends have them. */
async function* many(stage: PredictStage, rounds: number): AsyncIterable<Figure> {
  const authorization = authorizationOf(stage);
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => RawClient.open(stage.httpUrl, PREDICT, authorization)),
  );
  const { places, secret } = await selectBridges(stage.admin);
  const [place] = places;
  if (place === undefined) throw new Error('no prediction server');
  const sessions = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => BridgeSessionClient.open(place, secret)),
  );
  const [access] = await stage.session.query<{ key: string }>(
    `select key #>> '{}' as key from rafiki.model_access where name = $1`,
    [MODEL],
  );
  const rates: { http: number[]; none: number[]; own: number[] } = { http: [], none: [], own: [] };
  for (let round = 0; round <= rounds; round++) {
    const salt = `round ${round}`;
    rates.http.push(
      await rate(
        clients.map((client, c) => (i) => client.ask(query(text(`${salt} ${c}`, i)))),
        2,
      ),
    );
    rates.none.push(
      await rate(
        clients.map((client) => () => client.ask(noQuery)),
        2,
      ),
    );
    const request = (it: string): string => ['P', access?.key, 'bench', '', 'answer', '', it].join('\x1f');
    rates.own.push(
      await rate(
        sessions.map((session, s) => (i) => session.ask(request(text(`own ${salt} ${s}`, i)))),
        2,
      ),
    );
  }
  for (const client of clients) client.close();
  await Promise.all(sessions.map((session) => session.close()));
  const peer = {
    unit: 'calls/s',
    peer: 'as many sessions at the server itself',
    peerValue: median(rates.own.slice(1)),
    min: true,
  };
  yield named(compare('http-64', { value: median(rates.http.slice(1)), ...peer, bar: 0.8 }));
  yield named(compare('http-64-none', { value: median(rates.none.slice(1)), ...peer }));
}

/** 10,000 new texts in one request. */
async function array(stage: PredictStage, rounds: number): Promise<Figure> {
  const client = await RawClient.open(stage.httpUrl, PREDICT, authorizationOf(stage));
  const times: { http: number[]; sql: number[] } = { http: [], sql: [] };
  for (let round = 0; round <= rounds; round++) {
    times.http.push(await timeOfRequest(client, stage.session, `http${round}`));
    await freshTable(stage.session, `sql${round}`, ROWS);
    const startedMs = performance.now();
    await stage.session.query(`select cardinality(rafiki_predict($1, array_agg(body))) from bench_scan`, [MODEL]);
    times.sql.push(performance.now() - startedMs);
  }
  client.close();
  return named(compare('http-array', { ...byTurns(times.http, times.sql), peer: 'the array form of SQL', bar: 1 }));
}

async function timeOfRequest(client: RawClient, session: Database, word: string): Promise<number> {
  const rows = await session.query<{ body: string }>('select body from bench_text order by id limit $1', [ROWS]);
  const queries = rows.map(({ body }) => `${body} ${word}`);
  const startedMs = performance.now();
  await client.ask(JSON.stringify({ queries }));
  return performance.now() - startedMs;
}
