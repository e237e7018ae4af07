import { cpSync, existsSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fitsSocket } from '../../bridge/server.ts';
import { Database } from '../../db/database.ts';
import { EnvironmentUnfit, ShuttingDown } from '../../errors/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { type Service, startAll, stopAll } from '../../runtime/service.ts';
import { sleep } from '../../runtime/sleep.ts';
import { install } from '../install/install.ts';
import { extensionDir } from '../install/script-parts.ts';
import { passfileLine, SERVICE, setServicePassword, urlAs, withoutPassword } from '../logins.ts';
import { withSettings } from '../settings/read.ts';
import { Cluster, stopOrphan } from './cluster.ts';
import { openDataDir } from './data-dir.ts';
import { embeddedPostgres } from './embedded-binaries.ts';
import { createUser, DATABASE, handOver, USER } from './embedded-roles.ts';
import { BRIDGE_PORT, choosePort, POSTGRES_PORT } from './free-port.ts';
import { takeLock } from './lock.ts';
import { keepSecret, keptPassword } from './secret-file.ts';
import { hasService, servicePassword } from './service-password.ts';
import { SupervisedChild } from './supervisor.ts';
import { type Identity, postgresIdentity } from './unprivileged.ts';

export interface UpOptions {
  /** Where not given, it runs its own PostgreSQL. */
  databaseUrl?: string | undefined;
  /** Of rafiki_reader in that database. */
  readerUrl?: string | undefined;
  dataDir: string;
  port: number | undefined;
  bridgeHost: string | undefined;
  bridgePort: number | undefined;
  /** As many processes; one per core where not given. */
  workers?: number | undefined;
  /** Its children's, but for what it tells them itself. */
  environment: NodeJS.ProcessEnv;
}

/** How long a crashed Postgres is started again and again before we give up: its orphans need a moment to leave. */
const RESTART_TRIES = 40;
const RESTART_PAUSE_MS = 500;

/** In the data folder of `up`: the user's URL with its password, for what does not read a `passfile`. */
export const USER_URL = 'user-url';

const INVALID_PASSWORD = '28P01';

/** Everything in one process tree: Postgres (unless a URL is given), serving, coordinator, workers. */
export class Up implements Service {
  readonly #options: UpOptions;
  readonly #logger: Logger;
  #services: Service[] = [];
  #cluster: Cluster | undefined;
  #lock: string | undefined;
  #stopping = false;
  #starting: Promise<void> | undefined;
  /** The user's. */
  databaseUrl = '';
  /** The same to be shown: the password is in a file of the data folder. */
  shownUrl = '';
  /** Our processes'. */
  #serviceUrl = '';
  bridgePort = 0;

  constructor(options: UpOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    this.#starting = this.#start();
    await this.#starting;
  }

  async #start(): Promise<void> {
    const { dataDir, databaseUrl } = this.#options;
    const identity = databaseUrl === undefined ? postgresIdentity() : undefined;
    await openDataDir(dataDir, databaseUrl === undefined ? identity : 'unused');
    this.#lock = takeLock(dataDir);
    try {
      if (databaseUrl === undefined) await this.#startPostgres(identity);
      else await this.#useDatabase(databaseUrl);
      await this.#checkLogin(this.#serviceUrl, 'service-password');
      this.bridgePort = await choosePort(this.#options.bridgePort, BRIDGE_PORT, '--bridge-port');
      this.#checkNotStopping();
      this.#services = this.#children();
      await Promise.all(this.#services.map((child) => startAll([child])));
    } catch (error) {
      await this.#stopParts();
      throw error;
    }
  }

  /** Also while it starts: what begins afterwards would be left running. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#stopParts();
    await this.#starting?.catch(() => undefined);
  }

  #checkNotStopping(): void {
    if (this.#stopping) throw new ShuttingDown('stopped while starting');
  }

  async #stopParts(): Promise<void> {
    await Promise.all(this.#services.map((child) => stopAll([child])));
    await this.#cluster?.stop();
    if (this.#lock) rmSync(this.#lock, { force: true });
  }

  /** Installs as whoever the URL names, unless the service itself is named; the service's password is kept in the data folder. */
  async #useDatabase(url: string): Promise<void> {
    this.databaseUrl = url;
    this.shownUrl = withoutPassword(url);
    const database = this.#session(url);
    try {
      const wasThere = await hasService(database);
      await install(database);
      const [row] = await database.query<{ name: string }>('select current_user::pg_catalog.text as name');
      if (row?.name === SERVICE) {
        this.#serviceUrl = url;
        return;
      }
      const file = path.join(this.#options.dataDir, 'service-password');
      this.#serviceUrl = urlAs(url, SERVICE, await servicePassword(database, file, wasThere));
    } finally {
      await database.stop();
    }
  }

  /** What would keep us, or each of our processes, from connecting is said once, here; `file` keeps the role's password. */
  async #checkLogin(url: string, file: string): Promise<void> {
    try {
      await withSession(this.#pinned(url), (database) => database.start());
    } catch (cause) {
      if ((cause as { code?: string }).code !== INVALID_PASSWORD) throw cause;
      throw new EnvironmentUnfit(`the password of ${new URL(url).username} is another one`, {
        detail: (cause as Error).message,
        hint: `Write it into ${path.join(this.#options.dataDir, file)}, for this user alone.`,
        cause,
      });
    }
  }

  /** Of whoever installs: nothing but install() may use it before it has pinned the search path, or else qualified names. */
  #session(url: string): Database {
    return new Database({ url, application: 'rafiki up', maxConnections: 1, installs: true, logger: this.#logger });
  }

  /** Our own, with an ordinary role for the user: its superuser is for administrators, whose URL is in the file `admin-url`. */
  async #startPostgres(identity: Identity | undefined): Promise<void> {
    const { dataDir } = this.#options;
    const postgresDir = await embeddedPostgres(identity, dataDir);
    const extension = path.join(dataDir, 'extension');
    rmSync(extension, { recursive: true, force: true });
    cpSync(extensionDir, extension, { recursive: true });
    await stopOrphan({ postgresDir, dataDir, identity });
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
    this.#checkNotStopping();
    this.#cluster = cluster;
    await cluster.start();
    const adminUrl = cluster.url(DATABASE);
    keepSecret(path.join(dataDir, 'admin-url'), adminUrl);
    await this.#checkLogin(cluster.url('postgres'), 'password');
    const handedOver = path.join(dataDir, 'handed-over');
    const { password, isNew } = keptPassword(dataDir, 'user-password');
    const service = keptPassword(dataDir, 'service-password');
    await withSession(this.#pinned(cluster.url('postgres')), (admin) => createUser(admin, { password, isNew }));
    await withSession(this.#session(adminUrl), install);
    await withSession(this.#pinned(adminUrl), async (admin) => {
      await setServicePassword(admin, service.password);
      if (!existsSync(handedOver)) await handOver(admin);
    });
    keepSecret(handedOver, 'What the superuser of 0.1.0 had made is rafiki_user’s. Later it stays whose it is.');
    this.databaseUrl = urlAs(adminUrl, USER, password);
    const passfile = path.join(dataDir, 'pgpass');
    keepSecret(passfile, passfileLine(this.databaseUrl));
    keepSecret(path.join(dataDir, USER_URL), this.databaseUrl);
    this.shownUrl = withoutPassword(this.databaseUrl, passfile);
    this.#serviceUrl = urlAs(adminUrl, SERVICE, service.password);
  }

  /** Its search path is pinned: the database is the user's. */
  #pinned(url: string): Database {
    return new Database({ url, application: 'rafiki up', maxConnections: 1, logger: this.#logger });
  }

  async #restartPostgres(): Promise<void> {
    for (let tries = 1; tries <= RESTART_TRIES && !this.#stopping; tries++) {
      try {
        await this.#cluster?.start();
        this.#logger.warn({ tries }, 'PostgreSQL ended and was started again');
        return;
      } catch (error) {
        this.#logger.warn({ tries, err: String(error) }, 'PostgreSQL does not start');
        await sleep(RESTART_PAUSE_MS);
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
    const { dataDir, databaseUrl, readerUrl, workers = availableParallelism(), environment } = this.#options;
    const env = withSettings(environment, {
      databaseUrl: this.#serviceUrl,
      readerUrl: databaseUrl === undefined ? undefined : readerUrl, // that of another database
      cacheDir: path.join(dataDir, 'cache'),
      bridgePort: String(this.bridgePort),
      bridgeSocketDir: this.#usesSocket() ? dataDir : undefined,
    });
    const entry = path.resolve(import.meta.dirname, '../../../dist/cli/main.js');
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

async function withSession(session: Database, work: (session: Database) => Promise<unknown>): Promise<void> {
  try {
    await work(session);
  } finally {
    await session.stop();
  }
}
