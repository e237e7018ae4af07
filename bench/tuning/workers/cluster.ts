import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { install } from '../../../src/cli/install/install.ts';
import { SERVICE, setServicePassword, urlAs } from '../../../src/cli/logins.ts';
import { Cluster } from '../../../src/cli/up/cluster.ts';
import { embeddedPostgres } from '../../../src/cli/up/embedded-binaries.ts';
import { choosePort } from '../../../src/cli/up/free-port.ts';
import { postgresIdentity } from '../../../src/cli/up/unprivileged.ts';
import { Database } from '../../../src/db/database.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

const PORT = 54_618;
const PASSWORD = 'bench';

/** A Postgres of the bench's own with rafiki in it, as durable as by default. */
export interface BenchCluster {
  /** A superuser's, and sessions of that. */
  url: string;
  db: Database;
  pid: number | undefined;
  stop(): Promise<void>;
}

/** One whose workers are the bench's. */
export interface WorkedCluster extends BenchCluster {
  /** As our processes are. */
  service: Database;
}

export async function startCluster({
  port = PORT,
  settings = { max_connections: '200' },
}: {
  port?: number;
  settings?: Record<string, string>;
} = {}): Promise<BenchCluster> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-workers-'));
  chmodSync(dataDir, 0o755);
  const identity = postgresIdentity();
  const cluster = new Cluster({
    postgresDir: await embeddedPostgres(identity, dataDir),
    dataDir,
    port: await choosePort(undefined, port, '--port'),
    identity,
    settings,
  });
  await cluster.start();
  const url = cluster.url('postgres');
  const db = new Database({ url, application: 'bench', asUser: true, logger: silentLogger });
  const stop = async (): Promise<void> => {
    await db.stop();
    await cluster.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    await install(db);
    await db.query(`create table rows (label text, body text)`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, pid: cluster.pid, db, stop };
}

export async function startWorkedCluster(): Promise<WorkedCluster> {
  const cluster = await startCluster();
  const url = urlAs(cluster.url, SERVICE, PASSWORD);
  const service = new Database({ url, application: 'bench', maxConnections: 100, logger: silentLogger });
  await setServicePassword(cluster.db, PASSWORD);
  return {
    ...cluster,
    service,
    stop: async () => {
      await service.stop();
      await cluster.stop();
    },
  };
}

/** A study whose trials are not really trained: its rows are never read. */
export async function insertStudy({ db }: BenchCluster, model: string): Promise<number> {
  const [row] = await db.query<{ id: number }>(
    `insert into rafiki.study (owner, task, source, model, target, features, families, advisor, collaborative, terminator, max_trials,
       max_time, validation, seed, deploy)
     values (current_user::regrole, 'sentiment', 'public.rows', $1, 'label', '{body}', '{fasttext}', 'random', false, false, 10000, '1 day', 0.2, 1, false)
     returning id`,
    [model],
  );
  return row?.id ?? 0;
}
