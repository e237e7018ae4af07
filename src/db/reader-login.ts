import { ReaderRefused } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Connection, Database, type Queryable } from './database.ts';
import { limitMessages } from './message-limit.ts';

const READER = 'rafiki_reader';

export interface ReaderLoginOptions {
  serviceUrl: string;
  /** Required if rafiki_reader has another password or another address than the service. */
  readerUrl?: string | undefined;
  logger: Logger;
}

/** The service's URL with the role rafiki_reader. */
export function asReader(serviceUrl: string): string {
  const url = new URL(serviceUrl);
  url.username = READER;
  if (url.searchParams.has('user')) url.searchParams.set('user', READER);
  return url.href;
}

/**
 * Ends the backend if its client is killed, even while an owner's code sleeps; unlike a timeout, code cannot catch this.
 */
export async function endBackendWithClient(on: Queryable): Promise<void> {
  await on.query(`set client_connection_check_interval = '5s'`).catch(() => undefined); // not supported on all platforms
}

export interface ReaderLimits {
  /** In the format of the PostgreSQL setting, such as '7h'. */
  statementTimeout: string;
  /** Maximum of one message of the database server: a row, an error, a notice. */
  maxBytes: number;
}

/** A session, and the backend that serves it. */
export interface ReaderSession {
  connection: Connection;
  pid: number;
}

/**
 * The login that reads sources and fills tables: its sessions may only call the function of schema rafiki_reader for
 * which they were opened.
 */
export class ReaderLogin {
  readonly #database: Database;

  constructor({ serviceUrl, readerUrl = asReader(serviceUrl), logger }: ReaderLoginOptions) {
    this.#database = new Database({ url: readerUrl, application: 'rafiki reader', logger });
  }

  /**
   * Opens a session. PostgreSQL ends statements at the timeout, even if this process can no longer cancel them. A statement fails
   * if the session is lost, or if a message of the database server is too long.
   */
  async connect({ statementTimeout, maxBytes }: ReaderLimits): Promise<ReaderSession> {
    const settings = { statement_timeout: statementTimeout };
    const connection = await this.#database.connect(() => undefined, { settings, isLong: true }).catch(refused);
    limitMessages(connection.client.connection.stream, maxBytes);
    await endBackendWithClient(connection);
    const [backend] = await connection.query<{ pid: number }>('select pg_backend_pid() as pid');
    return { connection, pid: backend?.pid ?? 0 };
  }

  /** Resets the session: removes all that an owner's code has left in it. */
  async reset({ connection }: ReaderSession): Promise<void> {
    await connection.reset();
    await endBackendWithClient(connection);
  }

  /**
   * Ends a session's backend. If the connection were closed, the statement would continue there; if it were cancelled, an owner's
   * code could catch that.
   */
  async end({ pid }: ReaderSession): Promise<void> {
    const other = await this.#database.connect(() => undefined);
    try {
      await other.query('select pg_terminate_backend($1)', [pid]);
    } finally {
      await other.close();
    }
  }
}

/** SQL that calls a function of schema rafiki_reader. It has the maximum number of arguments, so that no other function can match the call. */
export async function readerCall(on: Queryable, reader: string): Promise<string> {
  const [max] = await on.query<{ count: number }>(`select current_setting('max_function_args')::int as count`);
  return `rafiki_reader."${reader}"(${Array(max?.count).fill('true').join()})`; // a uuid, as Postgres prints it
}

/** SQLSTATEs of a refused login: password, right to connect, limit of connections. Independent of the study. */
const refusals = /^(28...|42501|3D000|53300|55000)$/;

function refused(cause: Error & { code?: string }): never {
  if (!refusals.test(cause.code ?? '')) throw cause;
  throw new ReaderRefused(
    `no login as ${READER}, the role that reads the tables that models are trained on, and fills those that they are attached to`,
    {
      detail: cause.message,
      hint: `It needs the password of rafiki_service, unless RAFIKI_READER_URL has another, and the right to connect to the database.`,
      cause,
    },
  );
}
