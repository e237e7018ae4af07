import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Cluster } from '../../src/cli/up/cluster.ts';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { postgresIdentity } from '../../src/cli/up/unprivileged.ts';
import { Database } from '../../src/db/database.ts';
import { readInt32s, readInteger } from '../../src/features/state.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { trainedModel } from './raw.ts';
import { models, type PredictStage } from './stage.ts';

const postgresDir = '/usr/lib/postgresql/17';

/** Why the peer cannot run here; null if it can. */
export function missingPeer(): string | null {
  const plpython = '/usr/share/postgresql/17/extension/plpython3u.control';
  if (existsSync(postgresDir) && existsSync(plpython)) return null;
  return 'skipped: needs postgresql-17, postgresql-plpython3-17 and python3-onnxruntime of Debian';
}

/** PostgreSQL 17 with PL/Python. */
export interface PeerStage {
  url: string;
  session: Database;
  stop(): Promise<void>;
}

/** With the Python modules of these names, and what `fill` puts into it. */
export async function startPeer(
  dataDir: string,
  modules: readonly string[],
  fill: (peer: Database) => Promise<void>,
): Promise<PeerStage> {
  const folder = path.join(dataDir, 'python');
  mkdirSync(folder);
  for (const name of modules) copyFileSync(path.join(import.meta.dirname, name), path.join(folder, name)); // readable by the server
  for (const part of [dataDir, folder]) chmodSync(part, 0o755);
  process.env['PYTHONPATH'] = folder;
  const port = await choosePort(undefined, 54_517, '--port');
  const cluster = new Cluster({ postgresDir, dataDir, port, identity: postgresIdentity() });
  await cluster.start();
  const url = cluster.url('postgres');
  const session = new Database({ url, application: 'bench', maxConnections: 1, asUser: true, logger: silentLogger });
  const stop = async (): Promise<void> => {
    await session.stop();
    await cluster.stop();
  };
  try {
    await fill(session);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, session, stop };
}

/** The models of the stage, exported, and its texts. */
export async function fillTexts(
  { session: ours, admin }: Pick<PredictStage, 'session' | 'admin'>,
  peer: Database,
): Promise<void> {
  await peer.query(readFileSync(path.join(import.meta.dirname, 'peer.sql'), 'utf8'));
  for (const model of Object.values(models)) {
    const { features } = await trainedModel(admin, model);
    const [file] = await ours.query<{ onnx: Buffer }>('select rafiki_export($1) as onnx', [model]);
    const [ngrams, unknown, margin, tokens] = ['ngrams', 'unknown', 'margin', 'maxTokens'].map((name) =>
      readInteger(features.state, name),
    );
    const hashes = Buffer.from(readInt32s(features.state, 'hashes').buffer);
    await peer.query('insert into peer_model values ($1, $2, $3, $4, $5, $6, $7, $8)', [
      ...[model, file?.onnx, hashes, ngrams, unknown, margin, tokens, features.classes],
    ]);
  }
  const texts = await ours.query<{ id: number; body: string }>('select id, body from bench_text order by id');
  await peer.query('create table bench_text (id int primary key, body text)');
  await peer.query('insert into bench_text select * from unnest($1::int[], $2::text[])', [
    texts.map(({ id }) => id),
    texts.map(({ body }) => body),
  ]);
}
