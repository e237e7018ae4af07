import type { Database } from '../../src/db/database.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { ScriptedBridge } from './scripted-bridge.ts';

/** A database whose server is a scripted one, and alice, who owns the model "m" and asks it. */
export interface AskingSession {
  database: TestDatabase;
  db: Database;
  alice: Database;
  bridge: ScriptedBridge;
  /** The value of an expression, in alice's session or another one. */
  ask(expression: string, session?: Database): Promise<unknown>;
  /** Gives the model a version that is ready. */
  deploy(): Promise<unknown>;
  stop(): Promise<void>;
}

export async function startAsking(): Promise<AskingSession> {
  const database = await createTestDatabase();
  const { db } = database;
  const alice = await database.as('alice');
  const bridge = new ScriptedBridge();
  await bridge.listen({ announceTo: db });
  await db.query(`insert into rafiki.model (name, task, owner)
                  select 'm', 'sentiment', oid::regrole from pg_roles where rolname like 'alice_' || current_database()`);
  return {
    ...{ database, db, alice, bridge },
    ask: async (expression, session = alice) =>
      (await session.query<{ v: unknown }>(`select ${expression} as v`))[0]?.v,
    deploy: () =>
      db.query(`with version as (insert into rafiki.model_version (model_id, version, score, classes)
                                 select id, 1, 1, '{}' from rafiki.model returning *)
                insert into rafiki.deployment (model_id, version_id, state) select model_id, id, 'ready' from version`),
    async stop() {
      await database.drop();
      await bridge.stop();
    },
  };
}
