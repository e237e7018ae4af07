import pg from 'pg';
import { AuthenticationFailed } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { CONNECT_TIMEOUT_MS, type Database, queryable, startupOptions, types } from './database.ts';
import { onConnection } from './in-transaction.ts';
import { limitMessages } from './message-limit.ts';
import { endBackendWithClient } from './reader-login.ts';
import { type CallOptions, MAX_MESSAGE_BYTES, type RoleCalls } from './role-login.ts';
import { admitReader } from './statements/readings.ts';

export interface TokenLoginOptions {
  /** The service's sessions, which admit those of the reader. */
  database: Database;
  readerUrl: string;
  /** The id of the token, and its function. */
  id: number;
  reader: string;
  /** SHA-256 of the token, as hex. */
  proof: string;
  maxConnections: number;
  statementMs: number;
  idleMs: number;
  logger: Logger;
}

/**
 * Sessions of rafiki_reader, each admitted to the function of one token, which makes our calls with the rights of the token's role. They are this
 * token's alone: what the role's code leaves in a session, or does in it outside of the function, reaches no other role.
 */
export class TokenLogin implements RoleCalls {
  readonly #options: TokenLoginOptions;
  readonly #pool: pg.Pool;
  #maxArguments = 0;

  constructor(options: TokenLoginOptions) {
    const { readerUrl, maxConnections: max, statementMs, idleMs, logger } = options;
    this.#options = options;
    this.#pool = new pg.Pool({
      connectionString: readerUrl,
      application_name: 'rafiki http',
      max,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idleTimeoutMillis: idleMs,
      options: startupOptions({ statement_timeout: `${statementMs}` }),
      verify: (client: pg.PoolClient, done: (error?: Error) => void): void => {
        this.#admit(client).then(() => done(), done);
      },
      types,
    } as pg.PoolConfig);
    this.#pool.on('error', (error) => logger.warn({ err: error.message }, 'idle connection of a token lost'));
  }

  /** In each new session, before the role's code can run in it. */
  async #admit(client: pg.PoolClient): Promise<void> {
    const { database, id } = this.#options;
    const on = queryable(client);
    const [backend] = await on.query<{ pid: number; max: number }>(
      `select pg_backend_pid() as pid, current_setting('max_function_args')::int as max`,
    );
    this.#maxArguments = backend?.max ?? 0;
    await admitReader(database, backend?.pid ?? 0, { of: 'token', id });
    limitMessages((client as unknown as pg.Client).connection.stream, MAX_MESSAGE_BYTES);
    await endBackendWithClient(on);
  }

  /** In a transaction of its own. The session is reset before the next one: code of the role may have changed its settings. */
  call(name: string, args: object, { statementMs, signal }: CallOptions = {}): Promise<unknown[]> {
    const { reader, proof } = this.#options;
    return onConnection(
      this.#pool,
      async (client, spoil) => {
        const on = queryable(client);
        if (statementMs !== undefined) await on.query(`set statement_timeout = ${statementMs}`);
        // exactly these types, and the maximum number of arguments: no other function can match the call
        const rest = ', true'.repeat(this.#maxArguments - 3);
        const sql = `select answer from rafiki_reader."${reader}"($1::text, $2::text, $3::jsonb${rest}) answer`;
        try {
          const rows = await on.query<{ answer: unknown }>(sql, [proof, name, JSON.stringify(args)]);
          return rows.map(({ answer }) => answer);
        } catch (error) {
          throw isGone(error, reader) ? revoked() : error;
        } finally {
          if (!signal?.aborted) await reset(client).catch(spoil);
        }
      },
      signal,
    );
  }

  async stop(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }
}

const UNDEFINED_FUNCTION = '42883';

/** A revoked token's function is dropped. */
function isGone(error: unknown, reader: string): boolean {
  const { code, message = '' } = error as { code?: string; message?: string };
  return code === UNDEFINED_FUNCTION && message.includes(reader);
}

const revoked = (): AuthenticationFailed =>
  new AuthenticationFailed('the token is not valid', {
    detail: 'It was revoked.',
    hint: 'Create another: select rafiki_create_token(…);',
  });

async function reset(client: pg.PoolClient): Promise<void> {
  await client.query('discard all');
  await endBackendWithClient(queryable(client));
}
