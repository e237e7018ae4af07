import type { Queryable } from '../../database.ts';

/** The secret that the foreign server and all bridges share; `newSecret` if the database has none yet. */
export async function ensureSecret(on: Queryable, newSecret: string): Promise<string> {
  const [row] = await on.query<{ secret: string }>('select rafiki._keep_secret($1) as secret', [newSecret]);
  return row?.secret ?? newSecret;
}

/** Replaces the secret. */
export async function rotateSecret(on: Queryable, newSecret: string): Promise<void> {
  await on.query('select rafiki._rotate_secret($1)', [newSecret]);
}

/** The address from which this process connects to the database; undefined if both are on one machine. */
export async function selectOwnAddress(on: Queryable): Promise<string | undefined> {
  const sql = 'select host(inet_client_addr()) as address where inet_client_addr() <> inet_server_addr()';
  const [row] = await on.query<{ address: string }>(sql);
  return row?.address;
}

/** Registers a bridge with the foreign server, in addition to others; it is removed if it is not refreshed for half a minute. */
export async function connectBridge(
  on: Queryable,
  { host, port, secret }: { host: string; port: number; secret: string },
): Promise<void> {
  await on.query('select rafiki._connect_bridge($1, $2, $3)', [host, port, secret]);
}

export async function disconnectBridge(on: Queryable, { host, port }: { host: string; port: number }): Promise<void> {
  await on.query('select rafiki._disconnect_bridge($1, $2)', [host, port]);
}
