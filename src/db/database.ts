import pg from 'pg';
import { EnvironmentUnfit } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import { inTransaction } from './in-transaction.ts';

/** Runs single statements: implemented by the pool, a dedicated connection and a transaction. */
export interface Queryable {
  /** Runs one statement; rows come back as `pg` decodes them (bigint as number, see below). */
  query<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
}

export interface DatabaseOptions {
  url: string;
  /** Shown in pg_stat_activity. */
  application: string;
  /** Maximum connections of this process, which needs few. */
  maxConnections?: number;
  /** A user's session: it keeps the search path and the time limits of its role and database. */
  asUser?: boolean;
  /** A session for installing: it keeps the search path, which selects the API's schema. */
  installs?: boolean;
  logger: Logger;
}

/**
 * Settings of each session, whatever is configured for the role or the database. Names are resolved in pg_catalog only:
 * an operator that another user created in "public" would run with our rights. Locks are not waited for long.
 */
const timeLimits: Record<string, string> = {
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
};
const sessionSettings: Record<string, string> = {
  ...timeLimits,
  search_path: 'pg_catalog,pg_temp',
  lock_timeout: '2s',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  row_security: 'on',
  // Formats of values and statements.
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  bytea_output: 'hex',
  datestyle: 'ISO',
  extra_float_digits: '1',
  idle_session_timeout: '0',
  quote_all_identifiers: 'off',
  transform_null_equals: 'off',
};

/** Settings that older servers do not have, so they cannot be start-up options: added in version 17. */
const newerSettings = `
  select case when current_setting('server_version_num')::int >= 170000 then set_config('transaction_timeout', '0', false) end`;

/** In libpq's format of start-up options. */
export const startupOptions = (settings: Record<string, string> = {}): string =>
  optionsOf({ ...sessionSettings, ...settings });

const optionsOf = (settings: Record<string, string>): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, '\\$&')}`)
    .join(' ');

// Identifiers are bigint in SQL and remain far below 2^53: numbers are simpler than strings.
const INT8_OID = 20;
/** How values of results become JavaScript's. */
export const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8_OID && format !== 'binary'
      ? (text: string) => Number(text)
      : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

export const CONNECT_TIMEOUT_MS = 10_000;
/**
 * A statement without a result by then has none, because the connection was lost in the network. The longest statements write
 * a tensor of some hundred megabytes.
 */
export const QUERY_TIMEOUT_MS = 60_000;

const PROTOCOL_VIOLATION = '08P01';

const unsafeConnection = (detail: string): EnvironmentUnfit =>
  new EnvironmentUnfit('the connection does not accept the settings required for security', {
    detail,
    hint: 'Connect to PostgreSQL itself, not through a pooler, and without options in the URL.',
  });

/** A process's pool of connections. */
export class Database implements Service, Queryable {
  readonly url: string;
  readonly #pool: pg.Pool;
  readonly #asUser: boolean;
  #ended = false;

  constructor(options: DatabaseOptions) {
    const { url, application, maxConnections = 4, installs = false, asUser = installs, logger } = options;
    this.url = url;
    this.#asUser = asUser;
    const verify = (client: pg.PoolClient, done: (error?: Error) => void): void => {
      client.query(newerSettings).then(() => done(), done);
    };
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: application,
      max: maxConnections,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      ...(asUser ? {} : { options: startupOptions(), query_timeout: QUERY_TIMEOUT_MS, verify }),
      ...(installs ? { options: optionsOf(timeLimits), verify } : {}),
      types,
    });
    // Without a handler the loss of an idle connection (Postgres restarts) would end the process.
    this.#pool.on('error', (error) => logger.warn({ err: error.message }, 'idle connection lost'));
  }

  async start(): Promise<void> {
    const path = await this.#searchPath();
    if (this.#asUser || path === sessionSettings['search_path']) return;
    throw unsafeConnection(`search_path is ${path}`);
  }

  async #searchPath(): Promise<string | undefined> {
    try {
      const [row] = await this.query<{ path: string }>(`select current_setting('search_path') as path`);
      return row?.path;
    } catch (error) {
      const { code, message } = error as { code?: string; message?: string };
      throw code === PROTOCOL_VIOLATION ? unsafeConnection(message ?? '') : error; // PgBouncer's error
    }
  }

  async stop(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#pool.end();
  }

  async query<Row>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    const result = await this.#pool.query(sql, [...values]);
    return result.rows as Row[];
  }

  /** Runs `work` in one transaction: committed when it returns, rolled back when it throws. */
  transaction<T>(work: (tx: Queryable) => Promise<T>, mode = ''): Promise<T> {
    return inTransaction(this.#pool, `begin ${mode}`, (client) => work(queryable(client)));
  }

  /** A dedicated connection, for session locks, COPY, and callers that must notice its loss. */
  async connect(
    onLost: (error: Error) => void,
    { settings, isLong = false }: ConnectOptions = {},
  ): Promise<Connection> {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: this.#pool.options.application_name,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      ...(this.#asUser ? {} : { options: startupOptions(settings) }),
      ...(this.#asUser || isLong ? {} : { query_timeout: QUERY_TIMEOUT_MS }),
      types,
    });
    client.on('error', onLost);
    client.on('end', () => onLost(new Error('connection ended')));
    await client.connect();
    if (!this.#asUser) await client.query(newerSettings);
    const asUser = this.#asUser;
    return {
      ...queryable(client),
      client,
      async reset() {
        await client.query('discard all');
        if (!asUser) await client.query(newerSettings);
      },
      onNotice: (handler) => void client.on('notice', (notice) => handler(notice.message ?? '')),
      close: () => client.end(),
    };
  }
}

export interface ConnectOptions {
  /** In addition to the settings of all sessions. */
  settings?: Record<string, string>;
  /** Whether its statements may take long. */
  isLong?: boolean;
}

export interface Connection extends Queryable {
  /** The `pg` client, for use in this room only (COPY). */
  client: pg.Client;
  /** Resets the session: settings, prepared statements, cursors, locks and temporary tables. */
  reset(): Promise<void>;
  /** Called with the server's messages while a statement runs: RAISE NOTICE. */
  onNotice(handler: (message: string) => void): void;
  close(): Promise<void>;
}

export function queryable(client: pg.Client | pg.PoolClient): Queryable {
  return {
    async query<Row>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
      const result = await client.query(sql, [...values]);
      return result.rows as Row[];
    },
  };
}
