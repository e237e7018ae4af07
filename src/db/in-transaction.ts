import type pg from 'pg';
import { Cancelled } from '../errors/errors.ts';
import { cancelStatement } from './cancel-statement.ts';
import { withReason } from './postgres-error.ts';

/**
 * Runs `work` on a connection of the pool, which is closed afterwards if `work` calls `spoil`. When `signal` aborts, the statement that runs is
 * cancelled.
 */
export async function onConnection<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient, spoil: (error: Error) => void) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  if (signal?.aborted) throw gone();
  const client = await connected(pool);
  let broken: Error | undefined;
  const spoil = (error: Error): void => {
    broken = error;
  };
  const onLost = (): void => undefined; // the current or the next statement fails with it
  const onAbort = (): void => {
    spoil(gone());
    cancelStatement(client);
  };
  client.on('error', onLost);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal?.aborted) throw gone();
    return await work(client, spoil);
  } catch (error) {
    throw signal?.aborted ? gone(error) : withReason(error);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    client.off('error', onLost);
    client.release(broken);
  }
}

const gone = (cause?: unknown): Cancelled => new Cancelled('the client has disconnected', { cause });

const connected = (pool: pg.Pool): Promise<pg.PoolClient> =>
  pool.connect().catch((error: unknown) => {
    throw withReason(error);
  });

/** Runs `work` in one transaction on a connection of the pool: committed when it returns, rolled back when it throws. */
export function inTransaction<T>(
  pool: pg.Pool,
  begin: string,
  work: (client: pg.PoolClient) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return onConnection(
    pool,
    async (client, spoil) => {
      try {
        await client.query(begin);
        const result = await work(client);
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch(spoil);
        throw error;
      }
    },
    signal,
  );
}
