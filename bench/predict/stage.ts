import { randomUUID } from 'node:crypto';
import { urlAs } from '../../src/cli/logins.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { type RunningRafiki, rafikiUp } from '../../test/support/rafiki-up.ts';

/** A whole Rafiki with trained models and rows to predict. */
export interface PredictStage {
  url: string;
  /** Of the HTTP server; '' in a clone that has none. */
  httpUrl: string;
  /** Of the user, who owns models and texts. One connection, so that temporary functions stay. */
  session: Database;
  /** A superuser. */
  admin: Database;
  dataDir: string;
  stop(): Promise<void>;
}

export const models = { fasttext: 'bench_fasttext', temporal_cnn: 'bench_temporal_cnn' } as const;

export interface PredictStageOptions {
  env?: NodeJS.ProcessEnv;
  /** Another clone, whose build is run. */
  clone?: string;
  /** The calling role is an ordinary one, even if `up` prints a superuser's URL, as in 0.1.0. */
  ordinary?: boolean;
}

/** Starts everything with `dataDir`, which keeps data and models from one start to the next. */
export async function startStage(dataDir: string, options: PredictStageOptions = {}): Promise<PredictStage> {
  const { env = {}, clone, ordinary = false } = options;
  const rafiki = await rafikiUp({ args: ['--workers', '1'], env, dataDir, clone });
  const url = ordinary ? await ordinaryUrl(rafiki) : rafiki.url;
  const session = new Database({
    url,
    application: 'bench',
    maxConnections: 1,
    asUser: true,
    logger: silentLogger,
  });
  try {
    await prepare(session);
  } catch (error) {
    await stopAll(rafiki, session);
    throw error;
  }
  return {
    url,
    httpUrl: rafiki.httpUrl,
    session,
    admin: rafiki.admin,
    dataDir: rafiki.dataDir,
    stop: () => stopAll(rafiki, session),
  };
}

async function ordinaryUrl({ admin, url }: RunningRafiki): Promise<string> {
  const password = randomUUID();
  await admin.query(`create role bench_user login password '${password}'`);
  await admin.query('grant create on schema public to bench_user');
  return urlAs(url, 'bench_user', password);
}

async function stopAll(rafiki: RunningRafiki, session: Database): Promise<void> {
  await session.stop();
  await rafiki.stop();
}

async function prepare(session: Database): Promise<void> {
  const [trained] = await session.query('select from pg_class where relname = $1', ['bench_text']);
  if (trained === undefined) await train(session);
  for (const model of Object.values(models)) await session.query(`select rafiki_predict($1, 'warm')`, [model]);
}

async function train(session: Database): Promise<void> {
  await session.query(
    'create table bench_text (id int generated always as identity primary key, label text, body text)',
  );
  const rows = generateRows(10_000);
  await session.query('insert into bench_text (label, body) select * from unnest($1::text[], $2::text[])', [
    rows.map((row) => row.label),
    rows.map((row) => row.body),
  ]);
  await session.query('create table bench_train as select * from bench_text where id <= 2000');
  for (const [family, model] of Object.entries(models)) {
    await trainSentences(session, { model, family, seed: 1 });
  }
}

/** A trial of one family on two thousand sentences of the stage. */
export const trainSentences = (
  session: Database,
  { model, family, seed }: { model: string; family: string; seed: number },
): Promise<void> =>
  completed(
    session,
    `select rafiki_train('sentiment', 'bench_train', model => $1, families => array[$2], max_trials => 1, target => 'label',
       features => array['body']::name[], seed => $3) as id`,
    [model, family, seed],
  );

/** Requests a study, and waits until it has its model. */
export async function completed(session: Database, request: string, values: readonly unknown[]): Promise<void> {
  const [study] = await session.query<{ id: number }>(request, values);
  const [ended] = await session.query<{ state: string }>('select rafiki_wait($1) as state', [study?.id]);
  if (ended?.state !== 'completed') throw new Error(`study ${study?.id} ended as ${ended?.state}`);
}

/** Sentences of 10 to 40 words, as long as film reviews are, from 5,000 words of which few depend on the class. */
function generateRows(count: number): { label: string; body: string }[] {
  const rng = createRng(7);
  return Array.from({ length: count }, (_, i) => {
    const label = i % 2 === 0 ? 'positive' : 'negative';
    const words = Array.from({ length: 10 + rng.below(31) }, () => `w${Math.floor(5000 * rng.uniform() ** 2)}`);
    words[rng.below(words.length)] = `${label}${rng.below(20)}`;
    return { label, body: words.join(' ') };
  });
}
