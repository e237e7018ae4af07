import { afterEach, beforeEach } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import type { Database } from '../../src/db/database.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import type { Service } from '../../src/runtime/service.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { reply, ScriptedBridge } from './scripted-bridge.ts';
import { eventually } from './studies.ts';

const refusal = reply(JSON.stringify({ sqlstate: '22000', message: 'it has no answer' }), 'e');

/**
 * A new table `inbox` for each test, and models to attach to it: `letters` predicts the first letter of a text, `sizes` the number of bytes
 * of an image; a text that begins with ! has no answer.
 */
export class Inbox {
  database!: TestDatabase;
  db!: Database;
  bridge!: ScriptedBridge;
  #coordinator: Service | undefined;

  constructor() {
    beforeEach(() => this.#open());
    afterEach(() => this.#close());
  }

  async #open(): Promise<void> {
    this.database = await createTestDatabase();
    this.db = this.database.db;
    const { db } = this;
    await db.query(
      `do $$ begin execute format('alter database %I set rafiki.fill_wait = %L', current_database(), '1s'); end $$`,
    );
    await db.query(`set rafiki.fill_wait = '1s'`);
    await this.startBridge();
    await db.query(`insert into rafiki.model (name, task, owner) values
      ('letters', 'text_classification', current_user::regrole), ('sizes', 'image_classification', current_user::regrole),
      ('finder', 'object_detection', current_user::regrole)`);
    await db.query(`
      with v as (insert into rafiki.model_version (model_id, version, score, classes) select id, 1, 1, '{}' from rafiki.model returning *)
      insert into rafiki.deployment (model_id, version_id, state) select model_id, id, 'ready' from v`);
    await db.query('create table inbox (id int primary key, body text, letter text, size int, photo bytea)');
  }

  async #close(): Promise<void> {
    await this.stopCoordinator();
    await this.database.drop();
    await this.bridge.stop();
  }

  async startBridge(): Promise<void> {
    const started = new ScriptedBridge();
    started.answer = (fields) => {
      const [verb = ''] = fields;
      const said = fields.at(-1) ?? '';
      const inputs = /p/i.test(verb) ? [said] : readInputs(said);
      if (inputs.some((input) => input?.startsWith('!'))) return refusal;
      const say = (input: string): string => (/[AP]/.test(verb) ? input.slice(0, 1) : String(atob(input).length));
      if (/p/i.test(verb)) return reply(say(said));
      return reply(`{${inputs.map((input) => (input === null ? 'NULL' : `"${say(input)}"`)).join()}}`);
    };
    await started.listen({ announceTo: this.db });
    this.bridge = started;
  }

  async startCoordinator(): Promise<void> {
    this.#coordinator = createCoordinator({ database: this.database.service, logger });
    await this.#coordinator.start();
  }

  async stopCoordinator(): Promise<void> {
    await this.#coordinator?.stop();
    this.#coordinator = undefined;
  }

  /** Runs a statement of which it matters what becomes of its rows, not when: a machine that is busy may need a coordinator for it. */
  async filled(statement: string): Promise<void> {
    await this.db.query(statement);
    if ((await this.marks()) === 0) return;
    await this.startCoordinator();
    await this.allFilled();
    await this.stopCoordinator();
  }

  attachLetters(more = ''): Promise<unknown> {
    return this.db.query(`select rafiki_attach('letters', 'inbox', 'body', 'letter'${more})`);
  }

  rows(): Promise<unknown[]> {
    return this.db.query('select id, letter, size from inbox order by id');
  }

  async marks(): Promise<number> {
    return (await this.db.query('select from rafiki.attachment_mark')).length;
  }

  verbs(): (string | undefined)[] {
    return this.bridge.requests.map(([verb]) => verb);
  }

  async attachment(): Promise<Record<string, unknown>> {
    return (await this.db.query<Record<string, unknown>>('select * from rafiki.attachments'))[0] ?? {};
  }

  /** Nothing waits any more, and the coordinator knows it. */
  allFilled(): Promise<unknown> {
    return eventually(
      this.db,
      `select from rafiki.attachment a where waiting_since is null and not exists (select from rafiki.attachment_mark)`,
    );
  }
}
