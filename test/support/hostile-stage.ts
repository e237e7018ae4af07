import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createCertificate } from '../../src/bridge/certificate.ts';
import { BridgeServer } from '../../src/bridge/server.ts';
import { urlAs } from '../../src/cli/logins.ts';
import { type Connection, Database } from '../../src/db/database.ts';
import type { TrainedModel } from '../../src/domain/training.ts';
import { packModel } from '../../src/params/model-codec.ts';
import { ModelFiles } from '../../src/params/model-files.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { ModelMemory } from '../../src/serving/devices/model-memory.ts';
import { policyByName } from '../../src/serving/policies/registry.ts';
import { Serving } from '../../src/serving/serving.ts';
import { PredictConversation } from '../../src/serving/session/conversation.ts';
import { trainTrial } from '../../src/training/train.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { createReviews, eventually } from './studies.ts';
import { keyOf } from './tiny-model.ts';

/** A login role with a session. */
export interface LoginRole {
  /** The name itself, and as SQL writes it. */
  name: string;
  sql: string;
  session: Database;
}

export type Part = 'modelOwner' | 'grantee' | 'otherRole' | 'dbo';

/** A database with models and roles that attack each other. */
export interface HostileStage extends Record<Part, LoginRole> {
  database: TestDatabase;
  /** Creates another role of any name, with a schema of its own. */
  join(name: string): Promise<LoginRole>;
  /** Another session of a role. */
  again(person: LoginRole): Database;
  /** A deployed model, with a version and the weights of a trained one if there is one. */
  addModel(name: string, owner: LoginRole, grantee?: LoginRole): Promise<string>;
  /** A real server with the models of `train`. */
  serve(): Promise<void>;
  stop(): Promise<void>;
}

const PASSWORD = 'secret';

export async function createStage(): Promise<HostileStage> {
  const database = await createTestDatabase();
  const { db } = database;
  const mark = new URL(database.url).pathname.slice(1);
  const open: Database[] = [];
  const names: string[] = [];
  const stops: (() => Promise<unknown>)[] = [];

  const again = ({ name }: Pick<LoginRole, 'name'>): Database => {
    const session = new Database({
      url: urlAs(database.url, encodeURIComponent(name), PASSWORD),
      application: 'test',
      maxConnections: 1,
      asUser: true,
      logger: silentLogger,
    });
    open.push(session);
    return session;
  };
  const join = async (name: string): Promise<LoginRole> => {
    const [made] = await db.query<{ sql: string }>('select quote_ident($1) as sql', [name]);
    const { sql } = made!;
    await db.query(`create role ${sql} login password '${PASSWORD}'`);
    names.push(sql);
    await db.query(`create schema authorization ${sql}`);
    return { name, sql, session: again({ name }) };
  };
  const people = {} as Record<Part, LoginRole>;
  for (const part of ['modelOwner', 'grantee', 'otherRole', 'dbo'] as const)
    people[part] = await join(`${part}_${mark}`);
  await db.query(`alter database "${mark}" owner to ${people.dbo.sql}`);

  let trained: TrainedModel | undefined;
  const store = new PostgresParamStore({ database: database.service, cacheBytes: 1 });
  return {
    ...people,
    database,
    join,
    again,
    async addModel(name, owner, grantee) {
      const paramsId = trained && (await store.save('model', packModel(trained)));
      await db.query(
        `with model as (
           insert into rafiki.model (name, task, owner) values ($1, 'sentiment', $2::regrole) returning id),
         version as (insert into rafiki.model_version (model_id, version, score, classes) select id, 1, 1, '{neg,pos}' from model returning *),
         member as (insert into rafiki.model_member (version_id, rank, family, score, params_id)
                    select id, 0, 'fasttext', 1, $3::bigint from version where $3::bigint is not null),
         deployed as (insert into rafiki.deployment (model_id, version_id, state)
                      select model_id, id, case when $3::bigint is null then 'ready' else 'loading' end from version)
         select id from model`,
        [name, owner.sql, paramsId ?? null],
      );
      if (grantee) await owner.session.query('select rafiki_grant($1, $2::regrole)', [name, grantee.sql]);
      return keyOf(db, name);
    },
    async serve() {
      trained = await train();
      const cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-hostile-'));
      const ours = new Database({ url: database.service.url, application: 'rafiki serving', logger: silentLogger });
      const serving = new Serving({
        database: ours,
        files: new ModelFiles(store, cacheDir),
        memory: new ModelMemory(2 ** 28),
        policy: policyByName('planner'),
        threads: 0,
        synthetic: null,
        logger: silentLogger,
      });
      const server = new BridgeServer({
        host: '127.0.0.1',
        port: 0,
        secret: 'secret',
        certificate: await createCertificate(),
        converse: () => new PredictConversation(serving.connect()),
        isIdle: () => serving.isIdle(),
        logger: silentLogger,
      });
      await serving.start();
      await server.start();
      stops.push(
        () => server.stop(),
        () => serving.stop(),
        () => ours.stop(),
        async () => rmSync(cacheDir, { recursive: true }),
      );
      await database.service.query(`select rafiki._connect_bridge('127.0.0.1', $1, 'secret')`, [server.address().port]);
      await db.query(`update rafiki.bridge_address set seen_at = now() + interval '1 h'`); // it sends no heartbeats
    },
    async stop() {
      await Promise.all(open.map((session) => session.stop()));
      for (const stop of stops) await stop();
      await db.query(`alter database "${mark}" owner to postgres`);
      await db.query(`drop owned by ${names.join(', ')} cascade`);
      await database.drop();
      await dropRoles(names);
    },
  };
}

async function dropRoles(names: readonly string[]): Promise<void> {
  const admin = await createTestDatabase();
  for (const name of names) await admin.db.query(`drop role ${name}`);
  await admin.drop();
}

/** Waits until a model answers. */
export const untilReady = (stage: HostileStage, model: string): Promise<unknown> =>
  eventually(
    stage.database.db,
    `select from rafiki.deployment d join rafiki.model m on m.id = d.model_id where m.name = $1 and d.state = 'ready'`,
    [model],
  );

async function train(): Promise<TrainedModel> {
  const inputs = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? `good film ${i}` : `bad film ${i}`));
  const rows = { inputs, labels: Int32Array.from(inputs, (_, i) => 1 - (i % 2)) };
  const data = { classes: ['neg', 'pos'], train: rows, valid: rows };
  const hooks = { onReport: async () => 'continue' as const, onCheckpoint: async () => undefined };
  return (await trainTrial({ task: 'sentiment', family: 'fasttext', knobs: {}, seed: 1, threads: 1, data }, hooks))
    .model;
}

/** What a statement gives as `v`, as JSON, or the SQLSTATE that it ends with, or `ok`. What it did stays. */
export async function code(session: Pick<Connection, 'query'>, sql: string): Promise<string> {
  try {
    const [row] = await session.query<{ v?: unknown }>(sql);
    return row?.v === undefined ? 'ok' : JSON.stringify(row.v);
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** The SQLSTATE that a statement ends with, or `ok`. What it did is undone. */
export async function outcome(session: Database, sql: string, values: unknown[] = []): Promise<string> {
  const rows = await tried(session, sql, values);
  return Array.isArray(rows) ? 'ok' : rows;
}

/** The rows of a statement, which is undone, or its SQLSTATE. */
export async function tried<Row>(session: Database, sql: string, values: unknown[] = []): Promise<Row[] | string> {
  const rows: { found?: Row[] } = {};
  const undo = new Error('undo');
  try {
    await session.transaction(async (tx) => {
      rows.found = await tx.query<Row>(sql, values);
      throw undo;
    });
  } catch (error) {
    if (error !== undo) return (error as { code?: string }).code ?? String(error);
  }
  return rows.found ?? [];
}

/** Runs statements one after the other in one transaction, and undoes them: the SQLSTATE of the first that fails, or `ok`. */
export async function outcomeOfAll(session: Database, statements: readonly string[]): Promise<string> {
  const undo = new Error('undo');
  try {
    await session.transaction(async (tx) => {
      for (const statement of statements) await tx.query(statement);
      throw undo;
    });
  } catch (error) {
    if (error !== undo) return (error as { code?: string }).code ?? String(error);
  }
  return 'ok';
}

/** Who was given what of ours: a GRANT that has nothing to give is no error but a warning. */
export const privileges = async (db: Database): Promise<string> =>
  JSON.stringify(
    await db.query(
      `select oid::int8, relacl::text from pg_class where relnamespace = 'rafiki'::regnamespace order by oid`,
    ),
  );

/** A stage with reviews that every role may read, and a table "heard" in which planted code records the role that it ran as. */
export async function createAttackedStage(): Promise<HostileStage> {
  const stage = await createStage();
  const { db } = stage.database;
  await createReviews(db, 20);
  await db.query('grant select on reviews to public');
  await db.query('create table heard (place text, who name, login name)');
  await db.query('grant select, insert, delete on heard to public');
  return stage;
}
