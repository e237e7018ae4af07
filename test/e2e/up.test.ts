import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { urlAs } from '../../src/cli/logins.ts';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { eventually, loadMails, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

const entry = path.resolve(import.meta.dirname, '../../dist/cli/main.js');
const hasPsql = existsSync('/usr/bin/psql');

let rafiki: RunningRafiki | undefined;
let dataDir: string | undefined;
/** A data folder that `up` has run in: a start in a copy needs half the time of one in a new folder. */
let prepared: string;
beforeAll(async () => {
  prepared = mkdtempSync(path.join(tmpdir(), 'rafiki-e2e-'));
  await (await rafikiUp({ dataDir: prepared, args: ['--workers', '1'] })).stop();
  rmSync(path.join(prepared, 'rafiki.log'));
});
afterAll(() => rmSync(prepared, { recursive: true, force: true }));
function copyOfPrepared(): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'rafiki-e2e-'));
  execFileSync('cp', ['-a', `${prepared}/.`, copy]);
  return copy;
}
afterEach(async () => {
  await rafiki?.stop();
  if (dataDir !== undefined) rmSync(dataDir, { recursive: true, force: true });
  rafiki = undefined;
  dataDir = undefined;
});

/** Of each thread of a process, 0 to 19: field 19 of its `stat`, counted from behind the name, which may hold anything. */
const nicenessOf = (pid: number, thread = pid): number =>
  Number(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[16]);

describe('priorities', () => {
  const asRoot = process.getuid?.() === 0;

  test('a command runs at any niceness that an ordinary user starts it with', async () => {
    const command = ['nice', '-n', '12', process.execPath, entry, 'serve', '--help'];
    const unable = asRoot ? ['setpriv', '--bounding-set', '-sys_nice', '--inh-caps', '-sys_nice'] : [];
    const [file = '', ...args] = [...unable, ...command];
    const { stdout } = await promisify(execFile)(file, args);
    expect(stdout).toContain('usage: rafiki');
  });

  test.skipIf(process.platform !== 'linux')('only training has a lower priority', async () => {
    dataDir = copyOfPrepared();
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
    const own = nicenessOf(process.pid);
    const [serving = 0] = await rafiki.pids('serving');
    const [coordinator = 0] = await rafiki.pids('coordinator');
    expect([nicenessOf(rafiki.process.pid ?? 0), nicenessOf(coordinator), nicenessOf(serving)]).toEqual([
      own,
      own,
      own,
    ]);
  });
});

/** A start that is to fail. */
const upOn = (
  dir: string,
  { args = [], env = {} }: { args?: string[]; env?: NodeJS.ProcessEnv } = {},
): Promise<{ stderr: string; code: number }> =>
  promisify(execFile)(process.execPath, [entry, 'up', '--data-dir', dir, ...args], {
    timeout: 120_000,
    env: { ...process.env, ...env },
  }).then(
    () => ({ stderr: '', code: 0 }),
    (error: { stderr: string; code: number }) => error,
  );

describe('a data folder', () => {
  test('that cannot be created is refused immediately', async () => {
    const { stderr, code } = await upOn('/proc/rafiki-nowhere');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/rafiki-nowhere cannot be used as the data folder \(58000\)/),
    ]);
  });

  test('with an empty lock file can be used', async () => {
    dataDir = copyOfPrepared();
    writeFileSync(path.join(dataDir, 'up.pid'), '');
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
  });

  test('with the lock of a process whose id another one has now, after a power loss, can be used; a long log is shortened', async () => {
    dataDir = copyOfPrepared();
    const log = path.join(dataDir, 'rafiki.log');
    writeFileSync(log, 'line\n'.repeat(4 * 2 ** 20));
    writeFileSync(path.join(dataDir, 'up.pid'), `${process.pid}\n1 another-start\n`);
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
    expect(rafiki.log()).not.toContain('line\n');
    expect(statSync(`${log}.1`).size).toBe(16 * 2 ** 20);
  });

  test('of another build of this version is refused with a hint that names it', async () => {
    dataDir = copyOfPrepared();
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
    await rafiki.admin.query(
      `create or replace function rafiki._build() returns text language sql immutable as $$ select 'another' $$`,
    );
    await rafiki.stop();
    const { stderr, code } = await upOn(dataDir);
    expect([code, stderr]).toEqual([1, expect.stringContaining('unreleased build of rafiki')]);
    expect(/HINT: .*/.exec(stderr)?.[0]).toContain(`${dataDir}. Choose another one with --data-dir`);
  });
});

describe('a child that cannot start ends up with the reason', () => {
  test('before it starts, if a port for metrics is taken', async () => {
    dataDir = copyOfPrepared();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    try {
      const { stderr, code } = await upOn(dataDir, { args: ['--workers', '1', '--metrics-port', String(port - 1)] });
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/port \d+, for the metrics of \w+, is in use \(58000\)/),
      ]);
      expect(stderr).toContain(`now ${port - 1} to ${port + 2}.`);
    } finally {
      taken.close();
    }
  });

  test('after some tries, from its log', async () => {
    dataDir = copyOfPrepared();
    const port = await choosePort(undefined, 26_950, '--metrics-port');
    const args = ['--workers', '1', '--metrics-port', String(port)];
    const { stderr, code } = await upOn(dataDir, { args, env: { RAFIKI_METRICS_HOST: '192.0.2.1' } });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^rafiki: (serving|coordinator|worker 1|http) does not start \(58000\)$/m),
    ]);
    expect(stderr).toMatch(/DETAIL: [\s\S]*metrics for other machines need a token/);
    expect(stderr).toContain(`HINT: See ${path.join(dataDir, 'rafiki.log')}.`);
    expect(existsSync(path.join(dataDir, 'db/postmaster.pid'))).toBe(false);
  });
});

describe('Ctrl-C', () => {
  test('stops a training worker, then Postgres: the trial waits for the next start, and no attempt is lost', async () => {
    dataDir = copyOfPrepared();
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'], detached: true });
    await loadMails(rafiki.db, 'mail', 600);
    await rafiki.db.query(
      `select rafiki_train('text_classification', 'mail', max_trials => 2, families => '{temporal_cnn}')`,
    );
    const { admin } = rafiki;
    await eventually(async () => (await admin.query(`select from rafiki.trial where epoch > 0`))[0]);
    const ended = new Promise((resolve) => rafiki?.process.once('exit', resolve));
    process.kill(-(rafiki.process.pid ?? 0), 'SIGINT'); // as a terminal does: to all of its foreground group
    expect(await ended).toBe(0);
    expect(rafiki.log()).not.toMatch(/"level":(40|50)/); // no process lost the database
    await rafiki.stop();

    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
    const trial = await rafiki.admin.query<{ attempt: number }>(`select attempt from rafiki.trial where number = 1`);
    expect(trial[0]?.attempt).toBeLessThanOrEqual(1);
  });
});

describe('Ctrl-C while Postgres starts', () => {
  test('ends up and Postgres, and the next start works', async () => {
    dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-e2e-'));
    const child = spawn(process.execPath, [entry, 'up', '--data-dir', dataDir], { stdio: 'ignore', detached: true });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const lock = path.join(dataDir, 'db/postmaster.pid');
    const pid = await eventually(
      async () => (existsSync(lock) && Number(readFileSync(lock, 'utf8').split('\n')[0])) || undefined,
    );
    process.kill(-(child.pid ?? 0), 'SIGINT');
    await ended;
    expect([existsSync(lock), existsSync(`/proc/${pid}`), existsSync(path.join(dataDir, 'up.pid'))]).toEqual([
      false,
      false,
      false,
    ]);
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
  });
});

describe('ready', () => {
  test.skipIf(!hasPsql)('is followed by a psql command that works, without a password', async () => {
    dataDir = copyOfPrepared();
    const child = spawn(process.execPath, [entry, 'up', '--data-dir', dataDir, '--workers', '1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const said: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        said.push(line);
        if (line.startsWith('logs: ')) break;
      }
      expect(said.join('\n')).not.toContain(readFileSync(path.join(dataDir, 'user-password'), 'utf8').trim());
      const url = /psql '(.*)'/.exec(said.join('\n'))?.[1] ?? '';
      const { stdout } = await promisify(execFile)('psql', ['-XAtw', url, '-c', 'select current_user']);
      expect(stdout.trim()).toBe('rafiki_user');
      const client = new pg.Client(readFileSync(path.join(dataDir, 'user-url'), 'utf8').trim());
      await client.connect();
      await client.end();
    } finally {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    }
  });

  test('with a closed output: everything runs, and stops in order', async () => {
    dataDir = copyOfPrepared();
    const inDir = (name: string): string => path.join(dataDir ?? '', name);
    const shell = spawn('sh', [
      '-c',
      '"$0" "$1" up --data-dir "$2" --workers 1 | true',
      process.execPath,
      entry,
      dataDir,
    ]);
    const ended = new Promise((resolve) => shell.once('exit', resolve));
    const ready = (): number => readFileSync(inDir('rafiki.log'), 'utf8').split('"msg":"ready"').length - 1;
    await eventually(async () => ready() === 3 || undefined);
    await sleep(1_000); // it says so by then
    process.kill(Number.parseInt(readFileSync(inDir('up.pid'), 'utf8'), 10), 'SIGTERM');
    await ended;
    expect(existsSync(inDir('db/postmaster.pid'))).toBe(false);
  });
});

/** What a start writes to stderr until everything is ready. */
async function warningsOf(dir: string): Promise<string> {
  const child = spawn(process.execPath, [entry, 'up', '--data-dir', dir, '--workers', '1']);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let said = '';
  child.stderr.on('data', (data) => {
    said += data;
  });
  for await (const line of createInterface({ input: child.stdout })) if (line.startsWith('logs: ')) break;
  child.kill('SIGTERM');
  await ended;
  return said;
}

describe('changes by the user of up', () => {
  test('do not make it a superuser at the next start', async () => {
    dataDir = copyOfPrepared();
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
    const left: [string, string][] = [
      ['oid, oid', '='],
      ['oid, regrole', '='],
      ['oid, regrole', '<>'],
      ['name, name', '='],
    ];
    for (const [place, [types, operator]] of left.entries()) {
      const [one, other] = types.split(', ');
      await rafiki.db.query(`create function public.evil${place}(${types}) returns boolean language plpgsql as $$ begin
        if (select rolsuper from pg_catalog.pg_roles where rolname operator(pg_catalog.=) current_user) then
          execute 'alter role rafiki_user superuser';
        end if;
        return true; end $$`);
      await rafiki.db.query(
        `create operator public.${operator} (leftarg = ${one}, rightarg = ${other}, function = public.evil${place})`,
      );
    }
    await rafiki.db.query('alter database rafiki set search_path = public, pg_catalog');
    await rafiki.db.query(`alter role rafiki_user password 'his own'`);
    await rafiki.admin.query('alter database rafiki owner to postgres');
    await rafiki.admin.query('create schema ops; create table ops.payroll (id int)');
    await rafiki.stop();

    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
    expect(
      await rafiki.admin.query(`select rolsuper from pg_catalog.pg_roles where rolname::text like 'rafiki\\_user'`),
    ).toEqual([{ rolsuper: false }]);
    expect(
      await rafiki.admin.query(
        `select relowner::regrole::text as owner from pg_catalog.pg_class where relname::text like 'payroll'`,
      ),
    ).toEqual([{ owner: 'postgres' }]);
    const own = new pg.Client(urlAs(rafiki.url, 'rafiki_user', 'his own'));
    await own.connect();
    await own.end();
  });

  test('of the password of rafiki_user are told at the next start, with what to do', async () => {
    dataDir = copyOfPrepared();
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
    await rafiki.db.query(`alter role rafiki_user password 'his own'`);
    await rafiki.stop();

    const file = path.join(dataDir, 'user-password');
    expect(await warningsOf(dataDir)).toContain(`Write it into ${file}, for this user alone, or remove the file`);
    writeFileSync(file, 'his own\n', { mode: 0o600 });
    expect(await warningsOf(dataDir)).toBe('');
    rmSync(file);
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
    expect(await rafiki.db.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test("of an administrator's password cause an error that names the file to write it into", async () => {
    dataDir = copyOfPrepared();
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
    await rafiki.admin.query(`alter role postgres password 'another'`);
    await rafiki.stop();
    const { stderr, code } = await upOn(dataDir);
    expect([code, stderr]).toEqual([1, expect.stringContaining('the password of postgres is a different one')]);
    expect(stderr).toContain(path.join(dataDir, 'password'));

    writeFileSync(path.join(dataDir, 'password'), 'another\n', { mode: 0o600 });
    rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
  });
});

test.skipIf(process.getuid?.() !== 0)('up refuses a data folder that another user prepared', async () => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-e2e-'));
  writeFileSync(path.join(dataDir, 'user-password'), 'known');
  chownSync(path.join(dataDir, 'user-password'), 65_534, 65_534);
  const failure = await promisify(execFile)(process.execPath, [entry, 'up', '--data-dir', dataDir]).catch(
    (error: { stderr: string }) => error,
  );
  expect(failure.stderr).toMatch(/cannot be used as the data folder[\s\S]*user-password in it belongs to user 65534/);
  expect(readdirSync(dataDir)).toEqual(['user-password']);
});

test('serve reports a database without rafiki', async () => {
  dataDir = copyOfPrepared();
  rafiki = await rafikiUp({ dataDir, args: ['--workers', '1'] });
  const elsewhere = new URL(rafiki.serviceUrl);
  elsewhere.pathname = '/postgres';
  const failure = await promisify(execFile)(process.execPath, [entry, 'serve'], {
    env: { ...process.env, DATABASE_URL: elsewhere.href },
  }).catch((error: { stderr: string }) => error);
  expect(failure.stderr).toMatch(
    /rafiki is not installed in database postgres[\s\S]*HINT: +Install it with: rafiki install/,
  );
});
