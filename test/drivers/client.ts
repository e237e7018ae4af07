import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

const clients = path.join(import.meta.dirname, 'clients');

/** How a driver is run, and what has to be on the machine for that. */
export interface Driver {
  name: string;
  /** The folder `clients` has a script in its language. */
  command: string[];
  /** Ends with 0 where the driver is there. */
  probe: string[];
  /** How to get it. */
  missing: string;
}

const python = (module: string, file: string, name: string): Driver => ({
  name,
  command: ['/usr/bin/python3', file],
  probe: ['/usr/bin/python3', '-c', `import ${module}`],
  missing: `apt-get install python3-${module}`,
});

const javascript = (file: string, name: string): Driver => ({
  name,
  command: [process.execPath, file],
  probe: [process.execPath, '--version'],
  missing: 'npm ci',
});

const jars = '/usr/share/java/postgresql.jar:/usr/share/java/gson.jar';

export const drivers: Driver[] = [
  python('psycopg', 'psycopg3_client.py', 'psycopg 3'),
  python('psycopg2', 'psycopg2_client.py', 'psycopg2'),
  python('asyncpg', 'asyncpg_client.py', 'asyncpg'),
  python('sqlalchemy', 'sqlalchemy_client.py', 'SQLAlchemy'),
  {
    name: 'JDBC',
    command: ['java', '-cp', jars, 'Jdbc.java'],
    probe: ['bash', '-c', `java --list-modules | grep -q jdk.compiler && ls ${jars.replace(':', ' ')}`],
    missing: 'apt-get install default-jdk-headless libpostgresql-jdbc-java libgoogle-gson-java',
  },
  {
    name: 'DBD::Pg',
    command: ['perl', 'dbd-pg.pl'],
    probe: ['perl', '-MDBD::Pg', '-MJSON::PP', '-e', '1'],
    missing: 'apt-get install libdbd-pg-perl',
  },
  {
    name: 'PDO',
    command: ['php', 'pdo.php'],
    probe: ['php', '-r', 'exit(extension_loaded("pdo_pgsql") ? 0 : 1);'],
    missing: 'apt-get install php-cli php-pgsql',
  },
  javascript('node-pg.mjs', 'node-pg'),
  javascript('postgres-js.mjs', 'postgres.js'),
  javascript('knex.mjs', 'knex'),
  javascript('drizzle.mjs', 'drizzle'),
];

export const isThere = ({ probe: [command = '', ...args] }: Driver): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** A value by what it is to the driver: its string, its list of strings, its bytes (in base64 on the way to it). */
export type Argument = { text: string | null } | { texts: (string | null)[] } | { bytes: string };

export interface DriverCall {
  /** With $1, $2, … in order, which each driver writes as it does. */
  sql: string;
  args: Argument[];
}

export type DriverAnswer =
  | { value: unknown }
  | { error: { sqlstate: string | null; message: string; hint: string | null } };

/** A process that talks to Postgres through one driver: a line of JSON for each call, and one for its answer. */
export class DriverClient {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** Of the driver. */
  readonly version: string;

  private constructor(process: ChildProcess, lines: AsyncIterator<string>, version: string) {
    this.#process = process;
    this.#lines = lines;
    this.version = version;
  }

  static async connect({ name, command: [command = '', ...args] }: Driver, url: string): Promise<DriverClient> {
    const child = spawn(command, args, { cwd: clients, stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stdin.write(`${JSON.stringify({ url })}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`the client of ${name} ended before it had connected`);
    return new DriverClient(child, lines, (JSON.parse(value) as { version: string }).version);
  }

  async ask(call: DriverCall): Promise<DriverAnswer> {
    this.#process.stdin?.write(`${JSON.stringify(call)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the client ended');
    return JSON.parse(value) as DriverAnswer;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stdin?.end();
    await ended;
  }
}
