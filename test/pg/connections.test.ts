import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { install } from '../../src/cli/install/install.ts';
import { loginRefused, SERVICE, urlAs } from '../../src/cli/logins.ts';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { postgresIdentity } from '../../src/cli/up/unprivileged.ts';
import { Database } from '../../src/db/database.ts';
import { persist } from '../../src/db/persist.ts';
import { type Logger, silentLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase, postgresVersion, type TestDatabase } from '../support/postgres.ts';
import { eventually } from '../support/rafiki-up.ts';
import { SERVICE_PASSWORD } from '../support/service-password.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

/** transaction_timeout is lifted by a session's first statement, which it must not end on a busy machine. */
const LIMIT_MS = 1_000;

const nameOf = ({ url }: TestDatabase): string => new URL(url).pathname.slice(1);

describe('time limits set by an administrator', () => {
  const limits = ['statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout'];

  test('for the role of our processes, or for the database, do not interrupt the processes', async () => {
    const all = postgresVersion() >= 17 ? [...limits, 'transaction_timeout'] : limits;
    for (const limit of all) {
      await database.db.query(`alter database ${nameOf(database)} set ${limit} = '${LIMIT_MS}ms'`);
      await database.db.query(`alter role ${SERVICE} in database ${nameOf(database)} set ${limit} = '${LIMIT_MS}ms'`);
    }
    await database.service.transaction(async (tx) => {
      await tx.query('select pg_sleep(1.2)');
      await sleep(1_200);
      expect(await tx.query('select 1 as one')).toEqual([{ one: 1 }]);
    });
    const session = await database.service.connect(() => undefined);
    await session.query('begin; select pg_sleep(1.2); commit');
    await session.close();
  });
});

test('a connection lost in a transaction fails that transaction, and ends no process', async () => {
  const lost = database.service.transaction(async (tx) => {
    const [row] = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
    await database.db.query('select pg_terminate_backend($1)', [row?.pid]);
    await sleep(200); // Node detects it without a running statement
    await tx.query('select 1');
  });
  await expect(lost).rejects.toThrow();
  expect(await database.service.query('select 1 as one')).toEqual([{ one: 1 }]);
});

test('rafiki can be installed with any time limits of the database', async () => {
  const empty = await createTestDatabase('template0');
  const limits = postgresVersion() >= 17 ? ['transaction_timeout'] : [];
  for (const limit of ['statement_timeout', 'idle_in_transaction_session_timeout', ...limits]) {
    await database.db.query(`alter database ${nameOf(empty)} set ${limit} = '${LIMIT_MS}ms'`);
  }
  const installer = new Database({ url: empty.url, application: 'test', installs: true, logger: silentLogger });
  try {
    expect(await install(installer)).toBe(postgresVersion() < 18 ? 'as a script' : 'as an extension');
  } finally {
    await installer.stop();
    await empty.drop();
  }
});

describe('while the password of the role of our processes is changed', () => {
  let dir: string;
  let role: string;
  let session: Database;
  const write = (password: string): void =>
    writeFileSync(process.env['PGPASSFILE']!, `*:*:*:${role}:${password}\n`, { mode: 0o600 });

  beforeEach(async () => {
    const [row] = await (await database.as('renewed')).query<{ role: string }>('select current_user::text as role');
    role = row!.role;
    dir = mkdtempSync(path.join(tmpdir(), 'rafiki-passfile-'));
    vi.stubEnv('PGPASSFILE', path.join(dir, 'pgpass'));
    session = new Database({ url: urlAs(database.url, role, ''), application: 'test', logger: silentLogger });
    write('old');
  });
  afterEach(async () => {
    await session.stop();
    vi.unstubAllEnvs();
    rmSync(dir, { recursive: true });
  });

  test('what is tried again succeeds with the new one, which each session reads', async () => {
    const warnings: string[] = [];
    const warn = (_: object, message: string): void => {
      warnings.push(message);
      if (warnings.length === 2) write('secret');
    };
    const work = (): Promise<unknown[]> => session.transaction((tx) => tx.query('select 1 as one'));
    const logger = { ...silentLogger, warn } as unknown as Logger;
    expect(await persist(work, logger, new AbortController().signal)).toEqual([{ one: 1 }]);
    expect(warnings).toEqual(Array(2).fill('the database refuses the login, trying again'));
  });

  test('a process that starts ends at once, and says what to do', async () => {
    const error = await session.start().catch(loginRefused);
    expect(error).toMatchObject({
      sqlstate: '28P01',
      message: expect.stringContaining(role),
      hint: expect.stringContaining('RAFIKI_SERVICE_PASSWORD'),
    });
  });
});

const hasPgbouncer = existsSync('/usr/sbin/pgbouncer');
if (!hasPgbouncer) console.log('pgbouncer is not on this machine: poolers are not tested');

describe.skipIf(!hasPgbouncer)('a pooler between us and Postgres', () => {
  let dir: string;
  let stop: () => Promise<unknown>;

  async function pooled(settings: string): Promise<Database> {
    const { port } = new URL(database.url);
    const listens = await choosePort(undefined, 26_432, '--port');
    dir = mkdtempSync(path.join(tmpdir(), 'rafiki-pgbouncer-'));
    const identity = postgresIdentity();
    writeFileSync(path.join(dir, 'users'), `"${SERVICE}" "${SERVICE_PASSWORD}"\n`);
    writeFileSync(
      path.join(dir, 'pgbouncer.ini'),
      `[databases]\n* = host=127.0.0.1 port=${port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${listens}\n` +
        `unix_socket_dir =\nauth_type = plain\nauth_file = ${dir}/users\npool_mode = transaction\n${settings}\n`,
    );
    chmodSync(dir, 0o755);
    const pooler = spawn('/usr/sbin/pgbouncer', ['-q', path.join(dir, 'pgbouncer.ini')], {
      ...identity,
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => pooler.once('exit', resolve));
    stop = async () => {
      pooler.kill('SIGINT');
      await ended;
      rmSync(dir, { recursive: true });
    };
    const url = `postgres://${SERVICE}:${SERVICE_PASSWORD}@127.0.0.1:${listens}/${nameOf(database)}`;
    await eventually(async () => execFileSync('bash', ['-c', `: < /dev/tcp/127.0.0.1/${listens}`]));
    return new Database({ url, application: 'test', logger: silentLogger });
  }

  test.each(['', 'ignore_startup_parameters = options'])('is refused at the start, with "%s"', async (settings) => {
    const service = await pooled(settings);
    try {
      await expect(service.start()).rejects.toMatchObject({
        message: 'the connection does not accept the settings required for security',
        hint: expect.stringContaining('not through a pooler'),
      });
    } finally {
      await service.stop();
      await stop();
    }
  });
});
