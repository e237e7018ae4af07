import pg from 'pg';
import { AuthenticationFailed, InvalidState } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Tally } from '../runtime/tally.ts';
import { CONNECT_TIMEOUT_MS, type Database, queryable, startupOptions, types } from './database.ts';
import { onConnection } from './in-transaction.ts';
import { limitMessages } from './message-limit.ts';
import { guardedCall } from './reader-call.ts';
import { endBackendWithClient } from './reader-login.ts';
import { type CallOptions, MAX_MESSAGE_BYTES, type RoleCalls } from './role-login.ts';
import { type Admission, admitReader, endReading } from './statements/readings.ts';
import { isUnchanged, type LiveToken } from './statements/tokens.ts';

export interface TokenLoginOptions {
  /** The service's sessions, which admit those of the reader. */
  database: Database;
  readerUrl: string;
  token: LiveToken;
  /** SHA-256 of the token, as hex. */
  proof: string;
  maxConnections: number;
  /** Sessions of each role, of all its tokens: together they keep no more idle ones than one of them. */
  open: Tally;
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
  /** Of the sessions. */
  readonly #admissions = new WeakMap<pg.PoolClient, Admission>();
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
    const { open, token } = options;
    this.#pool.on('connect', () => open.add(token.role, 1));
    this.#pool.on('remove', (client) => {
      open.take(token.role, 1);
      const admission = this.#admissions.get(client);
      if (admission !== undefined) endReading(options.database, admission).catch(() => undefined); // the next session with this pid registers again
    });
  }

  /** In each new session, before the role's code can run in it. */
  async #admit(client: pg.PoolClient): Promise<void> {
    const { database, token } = this.#options;
    const on = queryable(client);
    const [backend] = await on.query<{ pid: number; max: number }>(
      `select pg_backend_pid() as pid, current_setting('max_function_args')::int as max`,
    );
    const { pid, max } = backend ?? { pid: 0, max: 0 };
    this.#maxArguments = max;
    this.#admissions.set(client, await admitReader(database, pid, { of: 'token', id: token.id }));
    limitMessages((client as pg.Client).connection.stream, MAX_MESSAGE_BYTES);
    await endBackendWithClient(on);
  }

  /** In a transaction of its own. The session is reset before the next one: code of the role may have changed its settings. */
  call(name: string, args: object, { statementMs, signal }: CallOptions = {}): Promise<unknown[]> {
    const { token, proof, open, maxConnections } = this.#options;
    return onConnection(
      this.#pool,
      async (client, spoil) => {
        const on = queryable(client);
        if (statementMs !== undefined) await on.query(`set statement_timeout = ${statementMs}`);
        // exactly these types, and the maximum number of arguments: no other function can match the call
        const rest = ', true'.repeat(this.#maxArguments - 3);
        const sql = `select answer from rafiki_reader."${token.reader}"($1::text, $2::text, $3::jsonb${rest}) answer`;
        try {
          return await guardedCall(on, {
            version: async () => ((await isUnchanged(on, token)) ? token.version : undefined),
            call: async () => {
              const rows = await on.query<{ answer: unknown }>(sql, [proof, name, JSON.stringify(args)]);
              return rows.map(({ answer }) => answer);
            },
            replaced: revoked,
            deferred: deferredWork,
          });
        } catch (error) {
          const isGone = (error as { code?: unknown }).code === UNDEFINED_FUNCTION && !(await isUnchanged(on, token));
          throw isGone ? revoked() : error;
        } finally {
          if (open.of(token.role) > maxConnections) spoil(tooMany);
          else if (!signal?.aborted) await reset(client).catch(spoil);
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
const tooMany = new Error('the role has other sessions');

const revoked = (): AuthenticationFailed =>
  new AuthenticationFailed('the token is not valid', {
    detail: 'It was revoked, or the function that it calls was replaced.',
    hint: 'Create another: select rafiki_create_token(…);',
  });

const deferredWork = (what: string): InvalidState =>
  new InvalidState('a token makes no call that defers work to the end of its transaction', {
    detail: `It would not run with the rights of the token's role: ${what}.`,
    hint: 'Make the trigger or constraint not deferrable, and close cursors; or sign in with a password.',
  });

async function reset(client: pg.PoolClient): Promise<void> {
  await client.query('discard all');
  await endBackendWithClient(queryable(client));
}
