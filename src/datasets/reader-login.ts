import { type Connection, Database } from '../db/database.ts';
import type { Logger } from '../runtime/logger.ts';

const READER = 'rafiki_reader';

/** A source that takes longer to be read than this is given up, even by a worker that cannot end the read any more. */
const LONGEST_READ = '6h';

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
    const settings = { statement_timeout: LONGEST_READ };
    const connection = await this.#database.connect(() => undefined, { settings, isLong: true });
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
