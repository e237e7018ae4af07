import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBridge } from '../bridge/create-bridge.ts';
import { createCoordinator } from '../coordinator/create-coordinator.ts';
import { Database } from '../db/database.ts';
import { rotateSecret } from '../db/statements/serving.ts';
import { parseEngine } from '../engine/choice.ts';
import { checkDevice } from '../engine/device.ts';
import { EnvironmentUnfit, InvalidParameter, ShuttingDown } from '../errors/errors.ts';
import { createLogger, type Logger } from '../runtime/logger.ts';
import { type Service, startAll, stopAll } from '../runtime/service.ts';
import { version } from '../runtime/version.ts';
import { createWorker } from '../worker/create-worker.ts';
import { demo } from './demo/demo.ts';
import { install } from './install/install.ts';
import { ownerMembers } from './install/owner-role.ts';
import { uninstall } from './install/uninstall.ts';
import { hasServicePassword, loginRefused, SERVICE, scramVerifier, setServicePassword, urlAs } from './logins.ts';
import { BRIDGE_PORT, defaultDataDir, demoDir, type Options, POSTGRES_PORT } from './settings.ts';
import { sayAlive, tellSupervisor } from './up/supervisor.ts';
import { Up, USER_URL } from './up/up.ts';

interface Command {
  title: string;
  run(options: Options): Promise<void>;
}

export const commands: Record<string, Command> = {
  up: { title: 'all in one: Postgres, coordinator, workers, serving', run: runUp },
  demo: {
    title: 'the whole loop on real data',
    run: async (options) => {
      await useDevice(options);
      await demo(options, createLogger('demo', 'warn'), untilSignal());
    },
  },
  install: { title: 'put the SQL side into a database', run: runInstall },
  uninstall: { title: 'removes the SQL side, with all studies and models', run: runUninstall },
  verifier: { title: 'prints what Postgres has to know of the password of rafiki_service', run: printVerifier },
  'rotate-secret': { title: 'another secret between Postgres and the servers of predictions', run: runRotate },
  coordinator: {
    title: 'plans studies (several may run, one acts)',
    run: (options) => runService('coordinator', options, createCoordinator),
  },
  worker: { title: 'trains trials', run: (options) => runComputing('worker', options, worker) },
  serve: { title: 'answers predictions', run: (options) => runComputing('serving', options, serving) },
  bench: { title: 'measures (from a clone only)', run: runBench },
  version: { title: 'prints the version', run: async () => void process.stdout.write(`rafiki ${version}\n`) },
};

export const usage = (): string => `usage: rafiki COMMAND [flags]

${Object.entries(commands)
  .map(([name, { title }]) => `  ${name.padEnd(12)} ${title}`)
  .join('\n')}

flags (and their environment variables)
  --database-url URL   DATABASE_URL         use this database; without it, up runs its own PostgreSQL 18
  --data-dir DIR       RAFIKI_DATA_DIR      where up keeps its database, cache and logs
                                            (default: ${defaultDataDir()}; of demo: its folder demo)
  --port N             RAFIKI_PORT          of up's PostgreSQL (default: ${POSTGRES_PORT}, or the next that is free)
  --bridge-host HOST   RAFIKI_BRIDGE_HOST   where serving listens (default: where Postgres reaches this machine)
  --bridge-port N      RAFIKI_BRIDGE_PORT   (default: ${BRIDGE_PORT}; of up: or the next that is free)
  --workers N          RAFIKI_WORKERS       worker processes of up (default: one per core)
  --threads N          RAFIKI_THREADS       of each trial (default: the cores, divided among this machine's workers)
  --device NAME        RAFIKI_DEVICE        of workers and serving: cpu (default), webgpu, cuda
  --data FILE.csv                           of demo: columns label, text
  --json                                    of up: one line of JSON when ready

  RAFIKI_MODEL_MEMORY=2GB bounds the models that a server keeps loaded (default: a quarter of the memory)
  RAFIKI_DATA_LIMIT=4GB bounds the rows that a study reads
  RAFIKI_CACHE_DIR is where rows and models are kept, for this user alone; RAFIKI_CACHE_LIMIT=8GB bounds those models
  RAFIKI_SERVICE_PASSWORD=… of install: the password of rafiki_service and rafiki_reader (or …_FILE=PATH)
  RAFIKI_READER_URL=URL where rafiki_reader has another password than rafiki_service
  RAFIKI_PARAMS=s3://bucket/prefix keeps weights in S3 (default: in Postgres), with RAFIKI_S3_ENDPOINT and AWS_… as usual
`;

/** A Postgres that is only half there must not keep a process which is told to stop: what it holds has leases. */
const STOP_MS = 15_000;

interface Wiring {
  database: Database;
  options: Options;
  logger: Logger;
}

function worker({ database, options, logger }: Wiring): Service {
  const threads = options.threads ?? 'shared';
  return createWorker({ database, threads, cores: availableParallelism(), logger });
}

function serving({ database, options, logger }: Wiring): Service {
  const { bridgeHost: host, bridgePort: port = BRIDGE_PORT } = options;
  const socketDir = process.env['RAFIKI_BRIDGE_SOCKET_DIR']; // `rafiki up` knows that Postgres is on this machine
  return createBridge({ database, host, port, socketDir, logger });
}

/** Runs a service that computes: a device that is not there ends it before it takes any work. */
async function runComputing(name: string, options: Options, create: (wiring: Wiring) => Service): Promise<void> {
  await useDevice(options);
  await runService(name, options, create);
}

/** What this process, its threads and the processes that it starts compute with. */
async function useDevice({ device }: Options): Promise<void> {
  process.env['RAFIKI_DEVICE'] = device;
  parseEngine(process.env['RAFIKI_ENGINE']);
  if (device !== 'cpu') await checkDevice(device);
}

/** Runs one service until a signal, or until the parent that spawned it is gone. */
async function runService(name: string, options: Options, create: (wiring: Wiring) => Service): Promise<void> {
  sayAlive();
  const logger = createLogger(name);
  const database = new Database({ url: requireUrl(options), application: `rafiki ${name}`, logger });
  const check = { start: () => checkDatabase(database), stop: async () => undefined };
  const services: Service[] = [database, check, create({ database, options, logger })];
  await startAll(services).catch((error: unknown) => {
    throw loginRefused(error);
  });
  logger.info('ready');
  tellSupervisor('ready');
  await untilSignal();
  logger.info('stopping');
  await Promise.race([stopAll(services), sleep(STOP_MS, undefined, { ref: false })]);
  if (process.connected) process.disconnect();
}

/** A process of ours reads what everybody writes: it must not be able to do more than its work. */
async function checkDatabase(database: Database): Promise<void> {
  const [row] = await database.query<{ name: string; super: boolean; database: string; installed: boolean }>(`
    select rolname as name, rolsuper or rolbypassrls as super, current_database() as database,
      to_regclass('rafiki.migration') is not null as installed
    from pg_roles where rolname = current_user`);
  if (row !== undefined && !row.super && row.installed) return;
  if (row?.super) {
    throw new EnvironmentUnfit(`rafiki does not work as role ${row.name}, which may do everything`, {
      detail: 'It is a superuser, or exempt from row-level security.',
      hint: 'Give the URL of rafiki_service, which "rafiki install" makes.',
    });
  }
  throw new EnvironmentUnfit(`rafiki is not installed in database ${row?.database}`, {
    hint: 'Install it with: rafiki install --database-url URL, as a superuser, or after docs/install-managed.sql.',
  });
}

async function runUp(options: Options): Promise<void> {
  await useDevice(options);
  const up = new Up(options, createLogger('up', process.env['RAFIKI_LOG'] ?? 'warn'));
  const stopped = untilSignal();
  try {
    await Promise.race([up.start(), stopped.then(() => Promise.reject(new ShuttingDown('stopped while starting')))]);
    sayReady(up, options);
    await stopped;
  } finally {
    await up.stop();
  }
}

function sayReady(up: Up, options: Options): void {
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ event: 'ready', database_url: up.databaseUrl, bridge_port: up.bridgePort })}\n`,
    );
  } else {
    const lines = ['ready', '', `  psql '${up.shownUrl}'`, ''];
    const userUrl = path.join(options.dataDir, USER_URL);
    if (options.databaseUrl === undefined) lines.push(`URL for other clients, with its password: ${userUrl}`);
    lines.push(`logs: ${options.dataDir}/rafiki.log`);
    const demo = demoDir(options.dataDir);
    if (existsSync(path.join(demo, 'db'))) lines.push(`tables and model of the demo: rafiki up --data-dir ${demo}`);
    process.stdout.write(`${lines.join('\n')}\n`);
  }
}

async function runInstall(options: Options): Promise<void> {
  const logger = createLogger('rafiki');
  // keeps its own search path, which says where the API goes, until install() pins it; the rest is qualified
  const database = new Database({ url: requireUrl(options), application: 'rafiki install', installs: true, logger });
  try {
    process.stdout.write(`rafiki is installed (${await install(database)})\n`);
    const password = givenPassword();
    if (password !== undefined) await givePassword(database, password);
    else if ((await hasServicePassword(database)) === false) process.stdout.write(passwordHint);
    const members = await ownerMembers(database);
    if (members.length > 0) process.stderr.write(membersHint(members));
  } finally {
    await database.stop();
  }
}

/** Its roles are the cluster's, so they stay. */
async function runUninstall(options: Options): Promise<void> {
  const logger = createLogger('rafiki');
  const database = new Database({ url: requireUrl(options), application: 'rafiki uninstall', asUser: true, logger });
  try {
    await uninstall(database);
    process.stdout.write('rafiki is removed\n');
  } finally {
    await database.stop();
  }
}

/** An administrator may have given it already, where this role may not. */
async function givePassword(database: Database, password: string): Promise<void> {
  try {
    await setServicePassword(database, password);
  } catch (cause) {
    if ((cause as { code?: string }).code !== '42501') throw cause;
    const service = {
      url: urlAs(database.url, SERVICE, password),
      application: 'rafiki install',
      logger: createLogger('rafiki'),
    };
    const login = new Database(service);
    try {
      await login.start();
    } catch {
      throw new EnvironmentUnfit(`this role may not change the password of ${SERVICE}, which is another one`, {
        detail: (cause as Error).message,
        hint: 'An administrator gives it with docs/install-managed.sql; its first lines say how.',
        cause,
      });
    } finally {
      await login.stop();
    }
  }
}

const passwordHint = `
The logins of rafiki's processes have no password yet. Install again with RAFIKI_SERVICE_PASSWORD, or say:
  \\password rafiki_service
  \\password rafiki_reader
in psql, with the same one.
`;

const membersHint = (members: readonly string[]): string => `
Whoever is a member of rafiki_owner can do everything with rafiki in each database of this cluster. Once it is installed nobody needs to
be one; an administrator takes it back with:
  revoke rafiki_owner from ${members.join(', ')};
`;

/** `RAFIKI_SERVICE_PASSWORD`, or the first line of the file that `RAFIKI_SERVICE_PASSWORD_FILE` names. */
function givenPassword(): string | undefined {
  const file = process.env['RAFIKI_SERVICE_PASSWORD_FILE'];
  if (file) return readFileSync(file, 'utf8').split('\n')[0]?.trim();
  return process.env['RAFIKI_SERVICE_PASSWORD'] || undefined;
}

/** For `alter role … password`: neither the server nor its log learns the password itself. */
async function printVerifier(): Promise<void> {
  const password = givenPassword();
  if (password === undefined) {
    throw new InvalidParameter('no password given', {
      hint: 'Set RAFIKI_SERVICE_PASSWORD, or RAFIKI_SERVICE_PASSWORD_FILE.',
    });
  }
  process.stdout.write(`${scramVerifier(password)}\n`);
}

/** Servers take the new secret within seconds; sessions that are connected go on. */
async function runRotate(options: Options): Promise<void> {
  const database = new Database({
    url: requireUrl(options),
    application: 'rafiki rotate-secret',
    logger: createLogger('rafiki'),
  });
  try {
    await rotateSecret(database, randomBytes(24).toString('hex'));
    process.stdout.write('the bridge has another secret\n');
  } finally {
    await database.stop();
  }
}

async function runBench(options: Options): Promise<void> {
  const root = path.resolve(import.meta.dirname, '../..');
  const entry = path.join(root, 'bench/main.ts');
  if (!existsSync(entry)) throw new EnvironmentUnfit('benchmarks are part of a clone, not of the package');
  const args = ['--import', 'tsx', entry, ...options.positionals, ...(options.json ? ['--json'] : [])];
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
  process.exitCode = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

function requireUrl({ databaseUrl }: Options): string {
  if (!databaseUrl)
    throw new InvalidParameter('no database given', { hint: 'Pass --database-url or set DATABASE_URL.' });
  if (URL.canParse(databaseUrl) && /^postgres(ql)?:\/\//.test(databaseUrl)) return databaseUrl;
  throw new InvalidParameter('the database URL is none', {
    detail: 'It has no scheme postgres://, or not the form of a URL.', // nothing of it, since a password may be in it
    hint: 'Write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for an @ in the password.',
  });
}

/** A second signal changes nothing: all is stopping already, and what were killed now would leave others behind. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
    process.once('disconnect', () => resolve()); // the parent died: nobody would stop us later
  });
}
