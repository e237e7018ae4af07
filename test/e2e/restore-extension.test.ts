import { execFile } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { Cluster } from '../../src/cli/up/cluster.ts';
import { embeddedPostgres } from '../../src/cli/up/embedded-binaries.ts';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { postgresIdentity } from '../../src/cli/up/unprivileged.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

/** Debian's, of the version of npm's server: 18, which `rafiki up` has, comes without, and dumps an extension in the same order. */
const clientDir = '/usr/lib/postgresql/17/bin';
const isThere = existsSync(path.join(clientDir, 'pg_dump')) && existsSync('node_modules/postgres-17');
if (!isThere)
  console.log('PostgreSQL 17 and its pg_dump are not on this machine: dumps of the extension are not tested');

describe.skipIf(!isThere)('a dump of the extension', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-extension-'));
  const open: Database[] = [];
  let cluster: Cluster;

  beforeAll(async () => {
    chmodSync(dir, 0o755);
    const identity = postgresIdentity();
    const postgresDir = path.join(dir, 'postgres');
    cpSync(await embeddedPostgres(undefined, dir, 'postgres-17'), postgresDir, {
      recursive: true,
      verbatimSymlinks: true,
    });
    cpSync(path.join(extensionDir, 'extension'), path.join(postgresDir, 'share/postgresql/extension'), {
      recursive: true,
    });
    const port = await choosePort(undefined, 27_100, '--port');
    const settings = { fsync: 'off' };
    cluster = new Cluster({ postgresDir, dataDir: path.join(dir, 'cluster'), port, identity, settings });
    await cluster.start();
  });
  afterAll(async () => {
    await Promise.all(open.map((database) => database.stop()));
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const session = (database: string): Database => {
    const opened = new Database({
      url: cluster.url(database),
      application: 'test',
      asUser: true,
      logger: silentLogger,
    });
    open.push(opened);
    return opened;
  };

  test('can be restored, with a study that started from a model, and an import that waits; not with those of dropped roles', async () => {
    const admin = session('postgres');
    for (const database of ['original', 'restored']) await admin.query(`create database ${database}`);
    await admin.query('create role leaver_of_extension');
    const original = session('original');
    expect(await install(original)).toBe('as an extension');
    await original.query(`
      create table notes as select i as id, 'text ' || i as body, (array['a', 'b'])[1 + i % 2] as label from generate_series(1, 40) i;
      select rafiki_train('text_classification', 'notes', 'first');
      insert into rafiki.model (name, owner, task) values ('first', current_user::regrole, 'text_classification');
      insert into rafiki.model_version (model_id, version, study_id, classes) select m.id, 1, s.id, '{a,b}' from rafiki.model m, rafiki.study s;
      select rafiki_train('text_classification', 'notes', 'second');
      update rafiki.study s set start_version = v.id from rafiki.model_version v where s.model = 'second';
      insert into rafiki.import (owner, model, task, bytes, state)
        select o::regrole, o, 'text_classification', 4, 'queued' from unnest(array['postgres', 'leaver_of_extension']) o;
      insert into rafiki.import_part select id, 0, 'onnx' from rafiki.import;
      drop role leaver_of_extension`);

    const script = path.join(dir, 'dump.sql');
    const run = promisify(execFile);
    await run(path.join(clientDir, 'pg_dump'), ['-f', script, cluster.url('original')]);
    await run(path.join(clientDir, 'psql'), ['-Xq', '-v', 'ON_ERROR_STOP=1', '-f', script, cluster.url('restored')]);

    const restored = session('restored');
    expect(await install(restored)).toBe('unchanged');
    const start = 'select model, start from rafiki.studies order by study';
    expect(await restored.query(start)).toEqual([
      { model: 'first', start: null },
      { model: 'second', start: 'first 1' },
    ]);
    expect(
      await restored.query(
        'select i.model, p.data from rafiki.import i join rafiki.import_part p on p.import_id = i.id',
      ),
    ).toEqual([{ model: 'postgres', data: Buffer.from('onnx') }]);
    await restored.query('delete from rafiki.model');
    expect(await restored.query(start)).toEqual([
      { model: 'first', start: null },
      { model: 'second', start: null },
    ]);
  });
});
