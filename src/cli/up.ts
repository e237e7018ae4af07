import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { fitsSocket } from '../bridge/server.ts';
import { Database } from '../db/database.ts';
import { EnvironmentUnfit } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Service, startAll, stopAll } from '../runtime/service.ts';
import { Cluster } from './cluster.ts';
import { embeddedPostgres } from './embedded-binaries.ts';
import { choosePort } from './free-port.ts';
import { extensionDir, install } from './install.ts';
import type { Options } from './options.ts';
import { SupervisedChild } from './supervisor.ts';
import { postgresIdentity } from './unprivileged.ts';

const POSTGRES_PORT = 54_320;
const BRIDGE_PORT = 54_321;
/** How long a crashed Postgres is started again and again before we give up: its orphans need a moment to leave. */
const RESTART_TRIES = 40;
const RESTART_PAUSE_MS = 500;

/** Everything in one process tree: Postgres (unless a URL is given), serving, coordinator, workers. */
export class Up implements Service {
  readonly #options: Options;
  readonly #logger: Logger;
  #services: Service[] = [];
  #cluster: Cluster | undefined;
  #lock: string | undefined;
  #stopping = false;
  databaseUrl = '';
  bridgePort = 0;

  constructor(options: Options, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    const { dataDir, databaseUrl } = this.#options;
    this.#lock = takeLock(dataDir);
    try {
      this.databaseUrl = databaseUrl ?? (await this.#startPostgres());
      const database = new Database({ url: this.databaseUrl, application: 'rafiki up', logger: this.#logger });
      await install(database);
      await database.stop();
      this.bridgePort = await choosePort(this.#options.bridgePort, BRIDGE_PORT, '--bridge-port');
      this.#services = this.#children();
      await Promise.all(this.#services.map((child) => startAll([child])));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#services.map((child) => stopAll([child])));
    await this.#cluster?.stop();
    if (this.#lock) rmSync(this.#lock, { force: true });
  }

  async #startPostgres(): Promise<string> {
    const { dataDir } = this.#options;
    const identity = postgresIdentity();
    const postgresDir = await embeddedPostgres(identity, dataDir);
    const extension = path.join(dataDir, 'extension');
    rmSync(extension, { recursive: true, force: true });
    cpSync(extensionDir, extension, { recursive: true });
    const port = await choosePort(this.#options.port, POSTGRES_PORT, '--port');
    const cluster = new Cluster({
      postgresDir,
      dataDir,
      port,
      identity,
      initdbArgs: ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
      settings: { extension_control_path: `$system:${extension}` },
      onCrash: () => void this.#restartPostgres(),
    });
    this.#cluster = cluster;
    await cluster.start();
    const admin = new Database({ url: cluster.url('postgres'), application: 'rafiki up', logger: this.#logger });
    const [found] = await admin.query(`select from pg_database where datname = 'rafiki'`);
    if (!found) await admin.query('create database rafiki');
    await admin.stop();
    return cluster.url('rafiki');
  }

  async #restartPostgres(): Promise<void> {
    for (let tries = 1; tries <= RESTART_TRIES && !this.#stopping; tries++) {
      try {
        await this.#cluster?.start();
        this.#logger.warn({ tries }, 'PostgreSQL ended and was started again');
        return;
      } catch (error) {
        this.#logger.warn({ tries, err: String(error) }, 'PostgreSQL does not start');
        await new Promise((resolve) => setTimeout(resolve, RESTART_PAUSE_MS));
      }
    }
  }

  /** Where nobody said how the bridge is reached, and its database is ours. */
  #usesSocket(): boolean {
    const { dataDir, bridgeHost } = this.#options;
    return (
      this.#cluster !== undefined && bridgeHost === undefined && fitsSocket(dataDir) && process.platform !== 'win32'
    );
  }

  #children(): SupervisedChild[] {
    const { dataDir, bridgeHost, workers } = this.#options;
    const env = {
      ...process.env,
      DATABASE_URL: this.databaseUrl,
      RAFIKI_CACHE_DIR: path.join(dataDir, 'cache'),
      ...(bridgeHost === undefined ? {} : { RAFIKI_BRIDGE_HOST: bridgeHost }),
      RAFIKI_BRIDGE_PORT: String(this.bridgePort),
      ...(this.#usesSocket() ? { RAFIKI_BRIDGE_SOCKET_DIR: dataDir } : {}),
    };
    const entry = path.resolve(import.meta.dirname, '../../dist/cli/main.js');
    const logFile = path.join(dataDir, 'rafiki.log');
    const child = (name: string, command: string): SupervisedChild =>
      new SupervisedChild({ name, args: [command], env }, { entry, logFile, logger: this.#logger });
    return [
      child('serving', 'serve'),
      child('coordinator', 'coordinator'),
      ...Array.from({ length: workers }, (_, i) => child(`worker ${i + 1}`, 'worker')),
    ];
  }
}

/** One `rafiki up` per folder; a lock whose process is gone is nobody's. */
function takeLock(dataDir: string): string {
  mkdirSync(dataDir, { recursive: true });
  chmodSync(dataDir, 0o711); // the user that Postgres runs as must be able to enter
  const file = path.join(dataDir, 'up.pid');
  if (existsSync(file)) {
    const pid = Number(readFileSync(file, 'utf8'));
    if (pid !== process.pid && isAlive(pid)) {
      throw new EnvironmentUnfit(`${dataDir} is in use`, {
        detail: `Process ${pid} runs rafiki on it.`,
        hint: 'Stop it first, or choose another folder with --data-dir.',
      });
    }
    rmSync(file, { force: true });
  }
  const lock = openSync(file, 'wx');
  writeSync(lock, String(process.pid));
  closeSync(lock);
  return file;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
