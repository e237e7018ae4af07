import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { EnvironmentUnfit, ShuttingDown } from '../../errors/errors.ts';
import type { Service } from '../../runtime/service.ts';
import { sleep } from '../../runtime/sleep.ts';
import { freshPassword } from '../logins.ts';
import { readSecret, writeSecret } from './secret-file.ts';
import type { Identity } from './unprivileged.ts';

export interface ClusterOptions {
  /** Folder with the server's bin/. */
  postgresDir: string;
  /** The cluster is in DIR/db, its password in DIR/password, its log in DIR/postgres.log. */
  dataDir: string;
  port: number;
  identity: Identity | undefined;
  /** Further arguments of initdb, such as the locale. */
  initdbArgs?: readonly string[];
  /** Further `-c name=value` settings. */
  settings?: Record<string, string>;
  /** Called when the server ends unexpectedly. */
  onCrash?: () => void;
}

const POLL_MS = 25;

/** An embedded Postgres server: initialised at the first start, run as a child process. */
export class Cluster implements Service {
  readonly #options: ClusterOptions;
  readonly #db: string;
  #server: ChildProcess | undefined;
  #starting: Promise<void> | undefined;
  #stopping = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#db = path.join(options.dataDir, 'db');
  }

  /** A superuser's URL of one of the cluster's databases. */
  url(database: string): string {
    const { dataDir, identity } = this.#options;
    const password = readSecret(path.join(dataDir, 'password'), identity?.uid);
    return `postgres://postgres:${password}@127.0.0.1:${this.#options.port}/${database}`;
  }

  get pid(): number | undefined {
    return this.#server?.pid;
  }

  async start(): Promise<void> {
    this.#stopping = false;
    this.#starting = this.#start();
    await this.#starting;
  }

  async #start(): Promise<void> {
    if (existsSync(path.join(this.#db, 'PG_VERSION'))) await this.#checkVersion();
    else await this.#initialise();
    await stopOrphan(this.#options);
    if (this.#stopping) throw stopped();

    const { port, identity, settings = {}, dataDir, onCrash } = this.#options;
    const args = [
      '-D',
      this.#db,
      '-p',
      String(port),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
    ];
    for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
    const logFile = path.join(dataDir, 'postgres.log');
    const log = openSync(logFile, 'a', 0o600);
    // detached, so that Ctrl-C on the terminal does not reach Postgres: this process stops everything in order.
    const server = spawn(this.#bin('postgres'), args, {
      ...identity,
      stdio: ['ignore', log, log],
      cwd: this.#db,
      detached: true,
    });
    closeSync(log);
    this.#server = server;
    server.once('error', () => undefined); // it then has no pid and never becomes ready
    await this.#untilReady(server, logFile);
    server.once('exit', () => {
      if (this.#server !== server) return; // stopped by stop()
      this.#server = undefined;
      onCrash?.();
    });
  }

  /** Fast shutdown: disconnects clients and loses no committed data. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const server = this.#server;
    this.#server = undefined;
    if (server?.pid !== undefined && !hasEnded(server)) {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGINT');
      await ended;
    }
    await this.#starting?.catch(() => undefined);
  }

  #bin(name: string): string {
    return path.join(this.#options.postgresDir, 'bin', name);
  }

  /** A new major version of PostgreSQL does not read the files of an older one, nor the other way. */
  async #checkVersion(): Promise<void> {
    const { dataDir } = this.#options;
    const made = readFileSync(path.join(this.#db, 'PG_VERSION'), 'utf8').trim();
    const { stdout } = await promisify(execFile)(this.#bin('postgres'), ['--version']);
    const runs = / (\d+)/.exec(stdout)?.[1];
    if (made === runs) return;
    throw new EnvironmentUnfit(`the database in ${dataDir} is of PostgreSQL ${made}, and this is PostgreSQL ${runs}`, {
      detail: 'The files of one major version cannot be read by another. Nothing was changed.',
      hint:
        `Dump it with the rafiki that made it: rafiki up, then pg_dump -Fc -d "$(cat ${path.join(dataDir, 'admin-url')})" > rafiki.dump. ` +
        `Then move ${dataDir} away, start this rafiki, and pg_restore -c -d "$(cat ${path.join(dataDir, 'admin-url')})" rafiki.dump.`,
    });
  }

  async #initialise(): Promise<void> {
    const { dataDir, identity, initdbArgs = ['--locale=C'] } = this.#options;
    mkdirSync(dataDir, { recursive: true });
    rmSync(this.#db, { recursive: true, force: true }); // left by an interrupted initdb
    mkdirSync(this.#db, { mode: 0o700 });
    const password = path.join(dataDir, 'password');
    writeSecret(password, freshPassword());
    if (identity) for (const file of [this.#db, password]) chownSync(file, identity.uid, identity.gid);
    chmodSync(this.#db, 0o700);
    const args = ['-D', this.#db, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${password}`];
    args.push('--encoding=UTF8', '--no-instructions', ...initdbArgs);
    await promisify(execFile)(this.#bin('initdb'), args, { ...identity, cwd: dataDir }).catch((cause: unknown) => {
      rmSync(this.#db, { recursive: true, force: true });
      throw new EnvironmentUnfit('initdb failed', { detail: String(cause), hint: `Is ${dataDir} writable?`, cause });
    });
  }

  /** The eighth line of postmaster.pid is "ready" when connections are accepted. Recovery may take any time. */
  async #untilReady(server: ChildProcess, logFile: string): Promise<void> {
    const pidFile = path.join(this.#db, 'postmaster.pid');
    for (;;) {
      const lines = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').split('\n') : [];
      if (lines[0] === String(server.pid) && lines[7]?.trim() === 'ready') return;
      if (this.#stopping) throw stopped();
      if (server.pid === undefined || hasEnded(server)) {
        this.#server = undefined;
        const tail = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
        throw new EnvironmentUnfit('PostgreSQL did not start', { detail: tail, hint: `See ${logFile}.` });
      }
      await sleep(POLL_MS);
    }
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

const stopped = (): ShuttingDown => new ShuttingDown('PostgreSQL was stopped while it started');

/**
 * Stops a server whose parent was killed. This process has the folder's lock, so no other process uses it; it may occupy the
 * port.
 */
export async function stopOrphan({
  postgresDir,
  dataDir,
  identity,
}: Pick<ClusterOptions, 'postgresDir' | 'dataDir' | 'identity'>): Promise<void> {
  const db = path.join(dataDir, 'db');
  if (!existsSync(path.join(db, 'postmaster.pid'))) return;
  const args = ['stop', '-D', db, '-m', 'fast', '-w'];
  // Fails if the server is dead and only its file remains, which postgres handles itself.
  await promisify(execFile)(path.join(postgresDir, 'bin/pg_ctl'), args, { ...identity, cwd: db }).catch(() => {});
}
