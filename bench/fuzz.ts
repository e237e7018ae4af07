import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { urlAs } from '../src/cli/logins.ts';
import { Database } from '../src/db/database.ts';
import { InvalidParameter } from '../src/errors/errors.ts';
import { silentLogger } from '../src/runtime/logger.ts';
import { type RunningRafiki, rafikiUp } from '../test/support/rafiki-up.ts';
import { callables, complaints, furnish, fuzz } from '../test/support/sql-fuzz.ts';
import type { Figure } from './figure.ts';

export interface FuzzOptions {
  quick: boolean;
  seed?: string | undefined;
}

const CALLS = 10_000;
/** Concurrent sessions, so that a waiting call does not delay the others. */
const SESSIONS = 4;

/** Generated calls of every public function, by an ordinary role, while all processes run. */
export async function* fuzzBench({ quick, seed: seedText = '1' }: FuzzOptions): AsyncIterable<Figure> {
  const seed = Number(seedText);
  if (!Number.isInteger(seed))
    throw new InvalidParameter('--seed is not an integer', { hint: 'For example --seed 7.' });
  const runs = quick ? CALLS / 10 : CALLS;
  const rafiki = await rafikiUp({ args: ['--workers', '1'] });
  const admin = new Database({
    url: readFileSync(path.join(rafiki.dataDir, 'admin-url'), 'utf8').trim(),
    application: 'bench',
    asUser: true,
    logger: silentLogger,
  });
  try {
    yield* run(rafiki, admin, { runs, seed });
  } finally {
    await admin.stop();
    await rafiki.stop();
  }
}

async function* run(
  rafiki: RunningRafiki,
  admin: Database,
  { runs, seed }: { runs: number; seed: number },
): AsyncIterable<Figure> {
  await admin.query(`alter system set log_line_prefix = '%m [%p] %a: '`);
  await admin.query('select pg_reload_conf()');
  await admin.query(`create role fuzz login password 'fuzz'`);
  await admin.query('create schema authorization fuzz');
  await admin.query('grant create on schema public to fuzz'); // the calls expect its tables there
  const url = urlAs(rafiki.url, 'fuzz', 'fuzz');
  await furnish(admin, 'fuzz');
  await trainModels(url);
  const log = path.join(rafiki.dataDir, 'postgres.log');
  const begins = readFileSync(log, 'utf8').length;
  const all = await callables(admin);
  const results = await Promise.all(
    Array.from({ length: SESSIONS }, (_, i) => fuzz(url, all, { runs: Math.ceil(runs / SESSIONS), seed: seed + i })),
  );
  await sleep(2000); // for the reactions of the processes
  const wrong = results.flatMap((result) => result.wrong);
  const complained = complaints(readFileSync(log, 'utf8').slice(begins));
  for (const what of [...wrong, ...complained].slice(0, 20)) console.error(what);
  const calls = results.reduce((sum, result) => sum + result.calls, 0);
  const answered = results.reduce((sum, result) => sum + (result.states['00000'] ?? 0), 0);
  const states = new Set(results.flatMap((result) => Object.keys(result.states)));
  const figure = { bench: 'fuzz', bar: 0, unit: 'failures' };
  yield {
    ...figure,
    name: 'sql-fuzz-internal',
    value: wrong.length,
    ok: wrong.length === 0,
    note: `${calls} calls of ${all.length} functions from seed ${seed}, ${answered} without an error, ${states.size} SQLSTATEs`,
  };
  yield {
    ...figure,
    name: 'sql-fuzz-log',
    value: complained.length,
    ok: complained.length === 0,
    note: 'FATAL, PANIC, crashes, and ERRORs of our processes in the log of Postgres',
  };
}

/** Two models of the fuzzing role; the calls may drop one of them. */
async function trainModels(url: string): Promise<void> {
  const session = new Database({ url, application: 'bench', asUser: true, logger: silentLogger });
  for (const model of ['m', 'm2']) {
    const [study] = await session.query<{ id: number }>(
      `select rafiki_train('sentiment', 'reviews', model => $1, families => '{fasttext}', max_trials => 1) as id`,
      [model],
    );
    await session.query(`select rafiki_wait($1)`, [study?.id]);
  }
  await session.stop();
}
