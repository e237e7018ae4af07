import { ReaderRefused } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Connection, Database, type Queryable } from './database.ts';
import { limitMessages } from './message-limit.ts';

const READER = 'rafiki_reader';

export interface ReaderLoginOptions {
  serviceUrl: string;
  /** Where rafiki_reader has another password than the service, or is reached otherwise. */
  readerUrl?: string | undefined;
  logger: Logger;
}

/** The service's URL with the role rafiki_reader. */
function asReader(serviceUrl: string): string {
  const url = new URL(serviceUrl);
  url.username = READER;
  if (url.searchParams.has('user')) url.searchParams.set('user', READER);
  return url.href;
}

/**
 * Otherwise a backend would not notice that its client was killed while an owner's code sleeps; unlike with a time
 * limit, code cannot catch this.
 */
async function endWithClient(on: Queryable): Promise<void> {
  await on.query(`set client_connection_check_interval = '5s'`).catch(() => undefined); // not supported on all platforms
}

export interface ReaderLimits {
  /** As a setting of time is written. */
  longestStatement: string;
  /** Maximum of one message of the server: a row, an error, a notice. */
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
   * A statement that takes longer is abandoned, even if the process can no longer cancel it. It fails if the session is
   * lost, or if a message of the server is too long.
   */
  async connect({ longestStatement, maxBytes }: ReaderLimits): Promise<ReaderSession> {
    const settings = { statement_timeout: longestStatement };
    const connection = await this.#database.connect(() => undefined, { settings, isLong: true }).catch(refused);
    limitMessages(connection.client.connection.stream, maxBytes);
    await endWithClient(connection);
    const [backend] = await connection.query<{ pid: number }>('select pg_backend_pid() as pid');
    return { connection, pid: backend?.pid ?? 0 };
  }

  /** The session is as it began, whatever code of others has left in it. */
  async renew({ connection }: ReaderSession): Promise<void> {
    await connection.reset();
    await endWithClient(connection);
  }

  /**
   * Ends a session in its backend. To close the connection would leave it running there, and code of owners can catch what
   * cancels a statement, but not this.
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

/** The call of a function of schema rafiki_reader: with as many arguments as there can be, so that nobody can make another one that it might mean. */
export async function readerCall(on: Queryable, reader: string): Promise<string> {
  const [max] = await on.query<{ count: number }>(`select current_setting('max_function_args')::int as count`);
  return `rafiki_reader."${reader}"(${Array(max?.count).fill('true').join()})`; // a uuid, as Postgres prints it
}

/** The session is over. A row that is left behind, by a process that was killed, says nothing of the next session with that pid. */
export async function endReading(on: Queryable, pid: number): Promise<void> {
  await on.query('delete from rafiki.reading where pid = $1', [pid]);
}

/** What the password or the right to connect is not there for, or the role's limit of connections: nothing that a study can help. */
const refusals = /^(28...|42501|3D000|53300|55000)$/;

function refused(cause: Error & { code?: string }): never {
  if (!refusals.test(cause.code ?? '')) throw cause;
  throw new ReaderRefused(
    `nobody can log in as ${READER}, who reads the tables that models are trained on, and fills those that they are attached to`,
    {
      detail: cause.message,
      hint: `It has the password of rafiki_service unless RAFIKI_READER_URL says otherwise, and the right to connect to the database.`,
      cause,
    },
  );
}
