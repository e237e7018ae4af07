import { type Connection, Database } from '../db/database.ts';
import { ReaderRefused } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';

const READER = 'rafiki_reader';

/** Later than a worker ends a read (`read-times.ts`): for one that was killed. Code behind a source can catch it. */
const STATEMENT_TIMEOUT = '7h';

/**
 * The login that reads sources: `RAFIKI_READER_URL`, or the service's own URL in the name of rafiki_reader, which has the same
 * password unless somebody gave it another one.
 */
function readerUrl(serviceUrl: string): string {
  const given = process.env['RAFIKI_READER_URL'];
  if (given !== undefined && given !== '') return given;
  const url = new URL(serviceUrl);
  url.username = READER;
  if (url.searchParams.has('user')) url.searchParams.set('user', READER);
  return url.href;
}

/** A backend whose worker was killed hears nothing of it while code behind a source sleeps; unlike a time limit, no code catches this. */
const endWithClient = `set client_connection_check_interval = '5s'`;

/** A session, and the backend that serves it. */
export interface ReaderSession {
  connection: Connection;
  pid: number;
}

/** Sessions that may do nothing but read sources, one for each read. */
export class ReaderLogin {
  readonly #database: Database;

  constructor(serviceUrl: string, logger: Logger) {
    this.#database = new Database({ url: readerUrl(serviceUrl), application: 'rafiki reader', logger });
  }

  /** Its loss makes the statement under way fail. */
  async connect(): Promise<ReaderSession> {
    const settings = { statement_timeout: STATEMENT_TIMEOUT };
    const connection = await this.#database.connect(() => undefined, { settings, isLong: true }).catch(refused);
    await connection.query(endWithClient).catch(() => undefined); // a server that cannot look for its clients does without
    const [backend] = await connection.query<{ pid: number }>('select pg_backend_pid() as pid');
    return { connection, pid: backend?.pid ?? 0 };
  }

  /**
   * Ends a read in its backend. To close the connection would leave it running there, and code behind a source can catch what
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

/** What the password or the right to connect is not there for, or the role's limit of connections: nothing that a study can help. */
const refusals = /^(28...|42501|3D000|53300|55000)$/;

function refused(cause: Error & { code?: string }): never {
  if (!refusals.test(cause.code ?? '')) throw cause;
  throw new ReaderRefused(`workers cannot log in as ${READER}, who reads the tables that models are trained on`, {
    detail: cause.message,
    hint: `It has the password of rafiki_service unless RAFIKI_READER_URL says otherwise, and the right to connect to the database.`,
    cause,
  });
}
