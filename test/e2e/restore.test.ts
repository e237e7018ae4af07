import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../../src/cli/up/cluster.ts';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { postgresIdentity } from '../../src/cli/up/unprivileged.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { eventually, loadMails, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

/** Debian's, since the dump has to be of the server's version. */
const postgresDir = '/usr/lib/postgresql/15';
const isThere = existsSync(path.join(postgresDir, 'bin/pg_dump'));
if (!isThere) console.log('pg_dump of PostgreSQL 15 is not on this machine: dump and restore are not tested');

describe.skipIf(!isThere)('a dump, restored next to its running original', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-restore-'));
  const folderOf = (database: string): string => path.join(dir, database);
  const running: RunningRafiki[] = [];
  let cluster: Cluster;
  let admin: Database;

  beforeAll(async () => {
    chmodSync(dir, 0o755);
    const identity = postgresIdentity();
    const port = await choosePort(undefined, 26_900, '--port');
    cluster = new Cluster({ postgresDir, dataDir: path.join(dir, 'cluster'), port, identity });
    await cluster.start();
    admin = session('postgres');
  });
  afterAll(async () => {
    await Promise.all(running.map((rafiki) => rafiki.stop()));
    await admin.stop();
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const session = (database: string): Database =>
    new Database({ url: cluster.url(database), application: 'test', asUser: true, logger: silentLogger });

  async function up(database: string): Promise<RunningRafiki> {
    const args = ['--workers', '1', '--database-url', cluster.url(database)];
    const rafiki = await rafikiUp({ dataDir: folderOf(database), args });
    running.push(rafiki);
    return rafiki;
  }

  test('predicts the same, by its own server, and has no dropped roles', async () => {
    await admin.query('create database original');
    await admin.query('create role leaver_of_restore');
    const original = await up('original');
    await loadMails(original.db, 'mail', 200);
    const train = `select rafiki_train('text_classification', 'mail', model => 'spam', families => '{fasttext}',
      max_trials => 1, seed => 1) as study`;
    const [{ study } = { study: 0 }] = await original.db.query<{ study: number }>(train);
    await eventually(
      async () =>
        (await original.db.query(`select from rafiki.studies where study = $1 and state = 'completed'`, [study]))[0],
      120_000,
    );
    await original.db.query(`select rafiki_grant('spam', 'leaver_of_restore')`);
    await admin.query('drop role leaver_of_restore'); // a regrole column does not prevent it

    // an attached table whose columns have other numbers where it is restored, and a row of it that waits in the dump
    await original.db.query('create table inbox (gone int, id int primary key, body text, label text)');
    await original.db.query('alter table inbox drop gone');
    await original.db.query(`select rafiki_attach('spam', 'inbox', 'body', 'label')`);
    const holder = await original.db.connect(() => undefined);
    await holder.query(`begin; set local rafiki.fill_wait = 0`);
    await holder.query(`insert into inbox select 1, body from mail where id = 1`);
    await holder.query('commit; begin; select from inbox for update');

    const script = path.join(dir, 'dump.sql');
    const bin = (name: string): string => path.join(postgresDir, 'bin', name);
    await promisify(execFile)(bin('pg_dump'), ['-f', script, cluster.url('original')]);
    await holder.query('rollback');
    await holder.close();
    await admin.query('create database restored');
    await promisify(execFile)(bin('psql'), ['-Xq', '-v', 'ON_ERROR_STOP=1', '-f', script, cluster.url('restored')]);

    const restored = session('restored');
    const ask = `select rafiki_predict('spam', array_agg(body order by id)) as labels from mail`;
    await expect(restored.query(ask)).rejects.toMatchObject({
      message: expect.stringContaining('no rafiki server has run for this'),
    });
    await restored.stop();

    const { labels } = (await original.db.query<{ labels: string[] }>(ask))[0]!;
    mkdirSync(folderOf('restored'), { mode: 0o700 });
    copyFileSync(
      path.join(folderOf('original'), 'service-password'),
      path.join(folderOf('restored'), 'service-password'),
    );
    const copy = await up('restored');
    await running[0]?.stop(); // only its own server can answer now
    const answered = await eventually(async () => (await copy.db.query<{ labels: string[] }>(ask))[0]?.labels);
    expect(answered).toEqual(labels);
    expect((await copy.db.query('select from rafiki.model_grant')).length).toBe(0);
    await copy.db.query(`insert into inbox select id, body from mail where id between 2 and 50`);
    await eventually(
      async () => (await copy.db.query('select from inbox having count(label) = 50'))[0] as object | undefined,
    );
    expect(
      await copy.db.query('select from inbox i join mail m using (id) where i.label <> ($1::text[])[m.id]', [labels]),
    ).toEqual([]);
    const [next] = await copy.db.query<{ study: number }>(train.replace(`'spam'`, `'anew'`));
    expect(next?.study).toBeGreaterThan(study); // its sequences went on, too
  });
});
