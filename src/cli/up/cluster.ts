import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { EnvironmentUnfit, ShuttingDown } from '../../errors/errors.ts';
import type { Service } from '../../runtime/service.ts';
import { sleep } from '../../runtime/sleep.ts';
import { freshPassword } from '../logins.ts';
import { lastLines } from './log-files.ts';
import { stopOrphan } from './orphan.ts';
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
  /** Minimum of max_connections; an administrator's greater value (ALTER SYSTEM) stays. */
  minConnections?: number;
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

    const { port, settings = {}, minConnections, dataDir, onCrash } = this.#options;
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
    if (minConnections !== undefined) args.push('-c', `max_connections=${await this.#maxConnections(minConnections)}`);
    if (this.#stopping) throw stopped();
    const logFile = path.join(dataDir, 'postgres.log');
    const server = this.#spawn(args, logFile);
    this.#server = server;
    server.once('error', () => undefined); // it then has no pid and never becomes ready
    await this.#untilReady(server, logFile);
    server.once('exit', () => {
      if (this.#server !== server) return; // stopped by stop()
      this.#server = undefined;
      onCrash?.();
    });
  }

  #spawn(args: readonly string[], logFile: string): ChildProcess {
    const log = openSync(logFile, 'a', 0o600);
    try {
      // detached, so that Ctrl-C on the terminal does not reach Postgres: this process stops everything in order.
      const options = { ...this.#options.identity, cwd: this.#db, detached: true };
      return spawn(this.#bin('postgres'), args, { ...options, stdio: ['ignore', log, log] });
    } finally {
      closeSync(log); // the server has its own descriptor
    }
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

  /** What is configured, if that is more. */
  async #maxConnections(atLeast: number): Promise<number> {
    const args = ['-D', this.#db, '-C', 'max_connections'];
    const { stdout } = await promisify(execFile)(this.#bin('postgres'), args, {
      ...this.#options.identity,
      cwd: this.#db,
    }).catch(() => ({ stdout: '' })); // the start itself reports a setting that is wrong
    return Math.max(Number(stdout), atLeast);
  }

  /** A new major version of PostgreSQL does not read the files of an older one, nor the other way. */
  async #checkVersion(): Promise<void> {
    const { dataDir } = this.#options;
    const made = readFileSync(path.join(this.#db, 'PG_VERSION'), 'utf8').trim();
    const { stdout } = await promisify(execFile)(this.#bin('postgres'), ['--version']);
    const runs = / (\d+)/.exec(stdout)?.[1];
    if (made === runs) return;
    const url = `"$(cat ${path.join(dataDir, 'admin-url')})"`;
    throw new EnvironmentUnfit(`the database in ${dataDir} is of PostgreSQL ${made}, and this is PostgreSQL ${runs}`, {
      detail: 'The files of one major version cannot be read by another. Nothing was changed.',
      hint:
        `Dump it with the rafiki that made it and the client programs of PostgreSQL ${made}: rafiki up, ` +
        `then pg_dumpall --roles-only -d ${url} > roles.sql and pg_dump -Fc -d ${url} > rafiki.dump. ` +
        `Then move ${dataDir} away, start this rafiki, and restore both; docs/operating.md has the commands.`,
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
      if (this.#stopping) throw stopped();
      if (server.pid === undefined || hasEnded(server)) {
        this.#server = undefined;
        throw new EnvironmentUnfit('PostgreSQL did not start', {
          detail: lastLines(logFile, 5),
          hint: `See ${logFile}.`,
        });
      }
      const lines = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').split('\n') : [];
      if (lines[0] === String(server.pid) && lines[7]?.trim() === 'ready') return;
      await sleep(POLL_MS);
    }
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

const stopped = (): ShuttingDown => new ShuttingDown('PostgreSQL was stopped while it started');
