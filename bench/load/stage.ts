import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { eventually, loadMails, type RunningRafiki, rafikiUp } from '../../test/support/rafiki-up.ts';
import { processesOf, type VictimKind } from './processes.ts';

/** A running Rafiki with two models whose answers are all known. */
export interface LoadStage {
  rafiki: RunningRafiki;
  clientUrl: string;
  db: Database;
  /** A superuser of its database. */
  admin: Database;
  texts: readonly string[];
  /** Label of each text, by version; `steady` has one version, `turning` two. */
  known: { steady: readonly string[]; turning: ReadonlyMap<number, readonly string[]> };
  pids(kind: VictimKind): number[];
  stop(): Promise<void>;
}

export interface LoadStageOptions {
  workers?: number;
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** Kept when the stage stops; a temporary folder otherwise. */
  dataDir?: string;
  /** A superuser's; without it, what `rafiki up` wrote into its folder. */
  adminUrl?: string;
  /** For the load; without it, what `rafiki up` prints. */
  clientUrl?: string;
  ports?: { postgres: number; bridge: number };
}

/** The search for free ports begins here. */
const POSTGRES_PORT = 56_410;
const BRIDGE_PORT = 56_450;
const MAILS = 400;
const TEXTS = 60;
const TRAIN_MS = 300_000;
/** One family and one trial: one member, so no answer depends on how busy the server is. */
const ONE = `families => '{fasttext}', max_trials => 1, knobs => '{"epochs": 4}', max_time => '5 min'`;

export async function openStage(options: LoadStageOptions = {}): Promise<LoadStage> {
  const dataDir = options.dataDir ?? mkdtempSync(path.join(tmpdir(), 'rafiki-load-'));
  const postgres = options.ports?.postgres ?? (await choosePort(undefined, POSTGRES_PORT, '--port'));
  const bridge = options.ports?.bridge ?? (await choosePort(undefined, BRIDGE_PORT, '--bridge-port'));
  const ports = ['--port', String(postgres), '--bridge-port', String(bridge)];
  const rafiki = await rafikiUp({
    args: ['--workers', String(options.workers ?? 2), ...ports, ...(options.args ?? [])],
    dataDir,
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  const { clientUrl = rafiki.url, adminUrl = rafiki.admin.url } = options;
  const connect = (url: string): Database =>
    new Database({ url, application: 'bench', asUser: true, logger: silentLogger });
  const [db, admin] = [connect(clientUrl), connect(adminUrl)];
  const stop = async (): Promise<void> => {
    await Promise.all([db.stop(), admin.stop()]);
    await rafiki.stop();
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    return {
      rafiki,
      clientUrl,
      db,
      admin,
      ...(await prepare(db)),
      pids: (kind) => processesOf(rafiki.process.pid ?? 0).flatMap((each) => (each.kind === kind ? [each.pid] : [])),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Whether the whole loop still works: a study ends, its model answers, and a deployed version takes over. */
export async function goesOn({ db }: LoadStage): Promise<string[]> {
  const faults: string[] = [];
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    await work().catch((error: Error) => faults.push(`${what}: ${error.message}`));
  };
  await attempt('a study afterwards', () => train(db, `model => 'afterwards', seed => 4, ${ONE}`));
  await attempt('a deploy afterwards', async () => {
    const [row] = await db.query<{ version: number }>(
      `select version from rafiki.deployments where model = 'turning' and state = 'ready'`,
    );
    await deploy(db, row?.version === 1 ? 2 : 1);
  });
  await attempt('a prediction afterwards', () => labels(db, 'afterwards', ['free money']));
  return faults;
}

async function prepare(db: Database): Promise<Pick<LoadStage, 'texts' | 'known'>> {
  await loadMails(db, 'mail', MAILS);
  await db.query('create table inbox (id bigint generated always as identity primary key, body text, label text)');
  await train(db, `model => 'steady', seed => 1, ${ONE}`);
  await train(db, `model => 'turning', seed => 2, ${ONE}`);
  await train(db, `model => 'turning', seed => 3, validation => 0.5, deploy => false, ${ONE}`);
  await db.query(`select rafiki_attach('steady', 'inbox', input => 'body', output => 'label')`);
  const rows = await db.query<{ body: string }>('select body from mail order by id limit $1', [TEXTS]);
  const texts = rows.map(({ body }) => body);
  const steady = await labels(db, 'steady', texts);
  const turning = new Map<number, string[]>();
  for (const version of [2, 1]) {
    await deploy(db, version);
    turning.set(version, await labels(db, 'turning', texts));
  }
  return { texts, known: { steady, turning } };
}

async function train(db: Database, args: string): Promise<void> {
  const [row] = await db.query<{ study: number }>(
    `select rafiki_train('text_classification', 'mail', ${args}) as study`,
  );
  const ended = await eventually(async () => {
    const [study] = await db.query<{ state: string }>('select state from rafiki.studies where study = $1', [
      row?.study,
    ]);
    return study?.state === 'queued' || study?.state === 'running' ? undefined : study?.state;
  }, TRAIN_MS);
  if (ended !== 'completed') throw new Error(`training (${args}) ended as ${ended}`);
}

async function deploy(db: Database, version: number): Promise<void> {
  await db.query(`select rafiki_deploy('turning', $1)`, [version]);
  await eventually(async () => {
    const [row] = await db.query<{ version: number }>(
      `select version from rafiki.deployments where model = 'turning' and state = 'ready'`,
    );
    return row?.version === version ? true : undefined;
  });
}

async function labels(db: Database, model: string, texts: readonly string[]): Promise<string[]> {
  const [row] = await db.query<{ labels: string[] }>('select rafiki_predict($1, $2::text[]) as labels', [model, texts]);
  return row?.labels ?? [];
}
