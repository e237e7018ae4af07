import { cpSync, existsSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fitsSocket } from '../../bridge/socket-path.ts';
import { Database } from '../../db/database.ts';
import { translatePostgresError } from '../../db/postgres-error.ts';
import { ShuttingDown } from '../../errors/errors.ts';
import { reportError } from '../../errors/rafiki-error.ts';
import type { Logger } from '../../runtime/logger.ts';
import { type Service, startAll, stopAll } from '../../runtime/service.ts';
import { install } from '../install/install.ts';
import { extensionDir } from '../install/script-parts.ts';
import { passfileLine, SERVICE, setServicePassword, urlAs, withoutPassword } from '../logins.ts';
import { withSettings } from '../settings/read.ts';
import { checkLogin } from './check-login.ts';
import { checkMetricsPorts, childProcesses, connectionsFor } from './child-processes.ts';
import { Cluster } from './cluster.ts';
import { openDataDir, USER_URL } from './data-dir.ts';
import { embeddedPostgres } from './embedded-binaries.ts';
import { createUser, DATABASE, transferOwnership, USER } from './embedded-roles.ts';
import { BRIDGE_PORT, choosePort, POSTGRES_PORT } from './free-port.ts';
import { chooseHttp } from './http-address.ts';
import { installEmbedded } from './install-embedded.ts';
import { takeLock } from './lock.ts';
import { BoundedLogs } from './log-files.ts';
import { stopOrphan } from './orphan.ts';
import { storedPassword, writeSecret } from './secret-file.ts';
import { hasService, servicePassword } from './service-password.ts';
import { startAgain } from './start-again.ts';
import type { SupervisedChild } from './supervisor.ts';
import { type Identity, postgresIdentity } from './unprivileged.ts';
import type { UpOptions } from './up-options.ts';
import { withSession } from './with-session.ts';

/** Everything in one process tree: Postgres (unless a URL is given), serving, coordinator, workers. */
export class Up implements Service {
  readonly #options: UpOptions;
  readonly #logger: Logger;
  readonly #logs: BoundedLogs;
  #services: Service[] = [];
  #cluster: Cluster | undefined;
  #lock: string | undefined;
  readonly #stopping = new AbortController();
  #starting: Promise<void> | undefined;
  /** The user's URL. */
  databaseUrl = '';
  /** The user's URL for display, without the password, which is in a file of the data folder. */
  shownUrl = '';
  /** The service's URL. */
  #serviceUrl = '';
  bridgePort = 0;
  #http: { port: number; url: string } | undefined;

  /** Of the HTTP server. */
  get httpUrl(): string | undefined {
    return this.#http?.url;
  }

  constructor(options: UpOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    this.#logs = new BoundedLogs([this.#file('rafiki.log'), this.#file('postgres.log')], logger);
  }

  #file(name: string): string {
    return path.join(this.#options.dataDir, name);
  }

  get #workers(): number {
    return this.#options.workers ?? availableParallelism();
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
      await this.#logs.start();
      if (databaseUrl === undefined) await this.#startPostgres(identity);
      else await this.#useDatabase(databaseUrl);
      await checkLogin(this.#pinned(this.#serviceUrl), this.#file('service-password'));
      this.bridgePort = await choosePort(this.#options.bridgePort, BRIDGE_PORT, '--bridge-port');
      if (this.#options.http !== undefined) this.#http = await chooseHttp(this.#options.http);
      await checkMetricsPorts({ ...this.#options, workers: this.#workers, hasHttp: this.#http !== undefined });
      this.#checkNotStopping();
      this.#services = this.#children();
      await Promise.all(this.#services.map((child) => startAll([child])));
    } catch (error) {
      await this.#stopParts();
      throw error;
    }
  }

  /** Also during start, so that no process started later is left running. */
  async stop(): Promise<void> {
    await this.#stopParts();
    await this.#starting?.catch(() => undefined);
  }

  #checkNotStopping(): void {
    if (this.#stopping.signal.aborted) throw new ShuttingDown('stopped while starting');
  }

  async #stopParts(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#services.map((child) => stopAll([child])));
    await this.#cluster?.stop();
    await this.#logs.stop();
    if (this.#lock) rmSync(this.#lock, { force: true });
  }

  /**
   * Installs with the URL's role, unless that is the service itself; the service's password is stored in the data
   * folder.
   */
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
      const password = await servicePassword(database, this.#file('service-password'), wasThere);
      this.#serviceUrl = urlAs(url, SERVICE, password);
    } finally {
      await database.stop();
    }
  }

  /** A session for installing: before install() pins the search path, it must use qualified names only. */
  #session(url: string): Database {
    return new Database({ url, application: 'rafiki up', maxConnections: 1, installs: true, logger: this.#logger });
  }

  /**
   * Starts the embedded server, with an ordinary role for the user. The superuser's URL, for administrators, is in the
   * file `admin-url`.
   */
  async #startPostgres(identity: Identity | undefined): Promise<void> {
    const { dataDir } = this.#options;
    const postgresDir = await embeddedPostgres(identity, dataDir);
    const extension = this.#file('extension');
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
      minConnections: connectionsFor(this.#workers),
      onCrash: () => void startAgain(cluster, { signal: this.#stopping.signal, logger: this.#logger }),
    });
    this.#checkNotStopping();
    this.#cluster = cluster;
    await cluster.start();
    const adminUrl = cluster.url(DATABASE);
    writeSecret(this.#file('admin-url'), adminUrl);
    await checkLogin(this.#pinned(cluster.url('postgres')), this.#file('password'));
    const handedOver = this.#file('handed-over');
    const { password, isNew } = storedPassword(dataDir, 'user-password');
    const service = storedPassword(dataDir, 'service-password');
    await withSession(this.#pinned(cluster.url('postgres')), (admin) => createUser(admin, { password, isNew }));
    await withSession(this.#session(adminUrl), (admin) => installEmbedded(admin, dataDir));
    await withSession(this.#pinned(adminUrl), async (admin) => {
      await setServicePassword(admin, service.password);
      if (!existsSync(handedOver)) await transferOwnership(admin);
    });
    writeSecret(handedOver, 'The objects of the superuser of 0.1.0 were transferred to rafiki_user.');
    this.databaseUrl = urlAs(adminUrl, USER, password);
    const passfile = this.#file('pgpass');
    writeSecret(passfile, passfileLine(this.databaseUrl));
    writeSecret(this.#file(USER_URL), this.databaseUrl);
    this.shownUrl = withoutPassword(this.databaseUrl, passfile);
    this.#serviceUrl = urlAs(adminUrl, SERVICE, service.password);
    await this.#checkUser();
  }

  /** The user may have changed the password of its role: that stops nothing here, but the URLs in the folder's files. */
  async #checkUser(): Promise<void> {
    const file = this.#file('user-password');
    const otherwise = ', or remove the file: the next start sets a new password. Then start again';
    await checkLogin(this.#pinned(this.databaseUrl), file, otherwise).catch((error: unknown) =>
      this.#logger.warn({ err: reportError(translatePostgresError(error)) }, `${USER} cannot log in by ${USER_URL}`),
    );
  }

  /** The search path is pinned, because the user owns the database. */
  #pinned(url: string): Database {
    return new Database({ url, application: 'rafiki up', maxConnections: 1, logger: this.#logger });
  }

  /** Whether serving listens on a Unix socket: no other address was set, and the database is embedded. */
  #usesSocket(): boolean {
    const { dataDir, bridgeHost } = this.#options;
    return (
      this.#cluster !== undefined && bridgeHost === undefined && fitsSocket(dataDir) && process.platform !== 'win32'
    );
  }

  #children(): SupervisedChild[] {
    const { dataDir, databaseUrl, readerUrl, metricsPort, environment } = this.#options;
    const env = withSettings(environment, {
      databaseUrl: this.#serviceUrl,
      readerUrl: databaseUrl === undefined ? undefined : readerUrl, // it belongs to another database
      cacheDir: this.#file('cache'),
      bridgePort: String(this.bridgePort),
      bridgeSocketDir: this.#usesSocket() ? dataDir : undefined,
      httpPort: this.#http === undefined ? undefined : String(this.#http.port),
    });
    return childProcesses({
      env,
      workers: this.#workers,
      hasHttp: this.#http !== undefined,
      metricsPort,
      logFile: this.#file('rafiki.log'),
      logger: this.#logger,
    });
  }
}
