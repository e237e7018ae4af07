import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { urlAs } from '../../src/cli/logins.ts';
import { Cluster } from '../../src/cli/up/cluster.ts';
import { embeddedPostgres } from '../../src/cli/up/embedded-binaries.ts';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { postgresIdentity } from '../../src/cli/up/unprivileged.ts';
import { tasks } from '../../src/domain/task.ts';
import { loadMails, psql, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';
import { examplesOf, runExample } from '../support/readme.ts';

const examples = examplesOf('Three ways to use it');

const noPsql = !existsSync('/usr/bin/psql');
if (noPsql) console.log('psql is not on this machine: the README is not run');

let rafiki: RunningRafiki;
beforeAll(async () => {
  rafiki = await rafikiUp();
  await loadMails(rafiki.db, 'mails', 2000);
});
afterAll(() => rafiki.stop());

test('the README has three examples', () => expect(examples).toHaveLength(3));

test.skipIf(noPsql).each(examples)('$language: $code', async (example) => {
  expect(await runExample(example, rafiki.url)).toBe(example.printed.trimEnd());
});

test.skipIf(noPsql)(
  'managed PostgreSQL: the statements of the administrator, then of the installing role',
  async () => {
    const [managed, ...others] = examplesOf('On a managed PostgreSQL', 'docs/deploying.md');
    expect(others).toEqual([]);
    const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-managed-'));
    chmodSync(dataDir, 0o755);
    const identity = postgresIdentity();
    const postgresDir = await embeddedPostgres(identity, dataDir);
    const cluster = new Cluster({
      postgresDir,
      dataDir,
      port: await choosePort(undefined, 24_720, '--port'),
      identity,
    });
    await cluster.start();
    try {
      await psql(cluster.url('postgres'), `create role rafiki_installer login password 'secret'`);
      const [ADMIN_URL, entry] = [cluster.url('postgres'), path.resolve(import.meta.dirname, '../../dist/cli/main.js')];
      const passwordFile = path.join(dataDir, 'password-of-service');
      writeFileSync(passwordFile, 'service\n');
      const INSTALLER_URL = urlAs(ADMIN_URL, 'rafiki_installer', 'secret');
      const env = {
        ...process.env,
        ADMIN_URL,
        INSTALLER_URL,
        RAFIKI_SERVICE_PASSWORD: undefined,
        RAFIKI_SERVICE_PASSWORD_FILE: passwordFile,
      };
      const tooEarly = spawnSync(process.execPath, [entry, 'install', '--database-url', INSTALLER_URL], {
        encoding: 'utf8',
      });
      expect(tooEarly.stderr).toContain(
        '\n  create role rafiki_owner nologin;\n  create role rafiki_service login noinherit;\n',
      );
      const input = `rafiki() { '${process.execPath}' '${entry}' "$@"; }\n${managed?.code}`;
      const stdout = execFileSync('bash', ['-e'], { input, env, encoding: 'utf8' });
      expect(stdout).toBe(managed?.printed);
      const asService = urlAs(ADMIN_URL, 'rafiki_service', 'service');
      expect(await psql(asService, 'select count(*) from rafiki.task')).toContain(String(tasks.length));
    } finally {
      await cluster.stop();
      rmSync(dataDir, { recursive: true });
    }
  },
);
