import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { createBridge } from '../../src/bridge/create-bridge.ts';
import { urlAs } from '../../src/cli/logins.ts';
import { Database } from '../../src/db/database.ts';
import type { TrainedModel } from '../../src/domain/training.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type HttpClient, tokenClient } from './http-client.ts';
import { startHttp, type TestHttp } from './http-server.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { SERVICE_PASSWORD } from './service-password.ts';
import { deployTinyModel } from './tiny-model.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export async function createToken(session: Database, name: string): Promise<string> {
  const [row] = await session.query<{ token: string }>('select rafiki_create_token($1) as token', [name]);
  return row?.token ?? '';
}

/** Two roles, each with a schema: the victim has a token and may use the model "secret", both may use "open". */
export interface TokenStage {
  database: TestDatabase;
  db: Database;
  http: TestHttp;
  mallory: Database;
  malloryRole: string;
  victim: Database;
  victimRole: string;
  victimToken: string;
  asVictim: HttpClient;
  /** A session of rafiki_reader, as one who has its password. */
  reader: Database;
  /** What our processes have logged. */
  log(): string;
  stop(): Promise<void>;
}

export async function startTokenStage(trained: TrainedModel): Promise<TokenStage> {
  const database = await createTestDatabase();
  const { db } = database;
  let log = '';
  const write = (chunk: unknown, _: unknown, done: () => void): void => {
    log += String(chunk);
    done();
  };
  const logger = pino({ level: 'debug' }, new Writable({ write }));
  const store = new PostgresParamStore({ database: db, cacheBytes: 1 });
  const cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-models-'));
  for (const model of ['secret', 'open']) await deployTinyModel({ db, store }, { model, version: 1, trained });
  const bridge = createBridge({ database: database.service, port: 0, cacheDir, logger });
  await bridge.start();
  const http = await startHttp(database, { limits: { failuresOfAddress: 10 }, logger });
  const { role: malloryRole } = await http.as('mallory');
  const { role: victimRole } = await http.as('victim');
  const mallory = await database.as('mallory');
  const victim = await database.as('victim');
  for (const role of [malloryRole, victimRole]) {
    await db.query(`create schema authorization ${role}`);
    await db.query('select rafiki_grant($1, $2)', ['open', role]);
  }
  await db.query('select rafiki_grant($1, $2)', ['secret', victimRole]);
  const victimToken = await createToken(victim, 'app');
  const reader = new Database({
    url: urlAs(database.url, 'rafiki_reader', SERVICE_PASSWORD),
    application: 'test',
    maxConnections: 1,
    asUser: true,
    logger: silentLogger,
  });
  return {
    ...{ database, db, http, mallory, malloryRole, victim, victimRole, victimToken, reader },
    asVictim: tokenClient(http.url, victimToken),
    log: () => log,
    async stop() {
      await reader.stop();
      await http.server.stop();
      await bridge.stop();
      await database.drop();
      rmSync(cacheDir, { recursive: true });
    },
  };
}

/** The call of a token's function, as the reader. */
export async function tokenCallOf(db: Database, role: string): Promise<string> {
  const [row] = await db.query<{ name: string; max: number }>(
    `select p.proname as name, p.pronargs as max from pg_proc p where p.pronamespace = 'rafiki_reader'::regnamespace and p.proowner = $1::regrole`,
    [role],
  );
  return `rafiki_reader."${row?.name}"($1::text, $2::text, '{}'::jsonb${', true'.repeat((row?.max ?? 3) - 3)})`;
}
