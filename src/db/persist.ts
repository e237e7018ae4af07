import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { DatabaseUnreachable, RowLocked, StatementRefused, StoreUnreachable } from '../errors/errors.ts';
import { backoffMs } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/logger.ts';
import { createRng } from '../runtime/rng.ts';
import { isConnectionLost, isLoginRefused } from './postgres-error.ts';

const PAUSE = { firstMs: 200, maxMs: 5_000 };
/** Long enough for a restart of Postgres. */
const MAX_RETRY_MS = 120_000;

/** SQLSTATE classes for which a retry may succeed: connection, rollback, resources, operator. */
const transientClasses = new Set(['08', '40', '53', '57']);

const LOCK_NOT_AVAILABLE = '55P03';
/** Of a statement of ours: it reached a standby, which is being promoted, or to which an address still leads. */
const READ_ONLY = '25006';

export const isTransientState = (sqlstate: string): boolean =>
  transientClasses.has(sqlstate.slice(0, 2)) || sqlstate === LOCK_NOT_AVAILABLE;

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOTFOUND',
]);

/**
 * Whether an error means that the database, or the parameter store, is unreachable or busy, or refuses logins for now, independent of the request.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof StoreUnreachable || error instanceof DatabaseUnreachable || error instanceof RowLocked)
    return true;
  if (isLoginRefused(error)) return true;
  if (error instanceof StatementRefused) return isTransientState(error.sqlstate);
  if (error instanceof pg.DatabaseError) return isTransientState(error.code ?? '') || error.code === READ_ONLY;
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isTransient); // each address of a host
  if (!(error instanceof Error) || error.name !== 'Error') return false;
  if ('syscall' in error && error.syscall === 'connect') return true; // ENOENT of a unix socket among others
  return ('code' in error && networkCodes.has(String(error.code))) || isConnectionLost(error);
}

/** Calls `work`, which must be idempotent, and repeats it while the error is transient, for `maxMs` at most. */
export async function persist<T>(
  work: () => Promise<T>,
  logger: Logger,
  signal: AbortSignal,
  maxMs = MAX_RETRY_MS,
): Promise<T> {
  const rng = createRng(process.pid);
  const startedMs = performance.now();
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || signal.aborted || performance.now() - startedMs > maxMs) throw error;
      logger.warn(
        { err: error instanceof Error ? error.message : error, attempt },
        isLoginRefused(error)
          ? 'the database refuses the login, trying again'
          : 'the database or the parameter store is unreachable, trying again',
      );
      await sleep(backoffMs(attempt, PAUSE, rng), undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Whether a row was locked by another session for too long. */
export const isLocked = (error: unknown): boolean =>
  error instanceof RowLocked ||
  (error instanceof pg.DatabaseError && error.code === LOCK_NOT_AVAILABLE) ||
  (error instanceof StatementRefused && error.sqlstate === LOCK_NOT_AVAILABLE);
