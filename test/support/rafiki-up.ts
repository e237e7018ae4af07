import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { spamAssassinMails } from '../../src/cli/demo/spam-mails.ts';
import { SERVICE, urlAs } from '../../src/cli/logins.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

/** The built command, run as a user would run it, on a folder of its own. */
export interface RunningRafiki {
  process: ChildProcess;
  /** As `up` prints it: of an ordinary role. */
  url: string;
  /** Of the HTTP server; '' without one. */
  httpUrl: string;
  db: Database;
  /** Of our processes. */
  serviceUrl: string;
  /** A superuser; with `--database-url`, the role of that URL. */
  admin: Database;
  dataDir: string;
  /** Process ids of one kind, as registered in rafiki.process. */
  pids(kind: 'coordinator' | 'worker' | 'serving'): Promise<number[]>;
  log(): string;
  stop(): Promise<number | null>;
}

const root = path.resolve(import.meta.dirname, '../..');
const LOOK_MS = 50;

export interface RafikiUpOptions {
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** One that outlives it. */
  dataDir?: string;
  /** In a process group of its own, as on a terminal of its own. */
  detached?: boolean;
  /** Another clone, whose build is run. */
  clone?: string | undefined;
}

export async function rafikiUp(options: RafikiUpOptions = {}): Promise<RunningRafiki> {
  const entry = path.join(options.clone ?? root, 'dist/cli/main.js');
  const dataDir = options.dataDir ?? mkdtempSync(path.join(tmpdir(), 'rafiki-e2e-'));
  const child = spawn(process.execPath, [entry, 'up', '--json', '--data-dir', dataDir, ...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: options.detached ?? false,
  });
  const { url, httpUrl } = await new Promise<{ url: string; httpUrl: string }>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => {
      const { database_url: url, http_url: httpUrl = '' } = JSON.parse(line);
      resolve({ url, httpUrl });
    });
    child.once('exit', (code) => reject(new Error(`rafiki up ended with ${code}\n${logOf(dataDir)}`)));
  });
  const kept = (name: string): string | undefined => {
    const file = path.join(dataDir, name);
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
  };
  const session = (of: string): Database =>
    new Database({ url: of, application: 'test', asUser: true, logger: silentLogger });
  const db = session(url);
  const admin = session(kept('admin-url') ?? url);
  return {
    process: child,
    url,
    httpUrl,
    db,
    serviceUrl: urlAs(url, SERVICE, kept('service-password') ?? ''),
    admin,
    dataDir,
    async pids(kind) {
      const rows = await admin.query<{ pid: number }>('select pid from rafiki.process where kind = $1 order by id', [
        kind,
      ]);
      return rows.map(({ pid }) => pid);
    },
    log: () => logOf(dataDir),
    async stop() {
      await Promise.all([db.stop(), admin.stop()]);
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
        child.kill('SIGTERM');
        await ended;
      }
      if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true });
      return child.exitCode;
    },
  };
}

function logOf(dataDir: string): string {
  try {
    return readFileSync(path.join(dataDir, 'rafiki.log'), 'utf8');
  } catch {
    return '';
  }
}

/** Loads real mails: `rows` for training into `relation` (id, label, body). */
export async function loadMails(db: Database, relation: string, rows: number): Promise<void> {
  const mails = (await spamAssassinMails()).map((mail) => ({ ...mail, text: mail.text.slice(0, 2000) }));
  const stride = mails.length / rows;
  const chosen = Array.from({ length: rows }, (_, i) => mails[Math.floor(i * stride)]!);
  await db.query(`create table ${relation} (id int generated always as identity primary key, label text, body text)`);
  await db.query(`insert into ${relation} (label, body) select * from unnest($1::text[], $2::text[])`, [
    chosen.map(({ label }) => label),
    chosen.map(({ text }) => text),
  ]);
}

/** Looks until `found` gives something, at most `timeoutMs`; an error counts as nothing yet, since servers restart. */
export async function eventually<T>(found: () => Promise<T | undefined>, timeoutMs = 120_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown = 'nothing';
  for (;;) {
    try {
      const result = await found();
      if (result !== undefined) return result;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new Error(`nothing after ${timeoutMs} ms`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** What psql prints for a script; the password travels in the URL. */
export async function psql(url: string, script: string): Promise<string> {
  const child = promisify(execFile)('psql', ['-X', '-v', 'ON_ERROR_STOP=1', url], { encoding: 'utf8' });
  child.child.stdin?.end(script);
  const { stdout, stderr } = await child;
  return stdout + stderr;
}
