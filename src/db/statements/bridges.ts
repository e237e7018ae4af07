import type { Queryable } from '../database.ts';

/** The secret that the foreign server and all bridges share; made once in each database. */
export async function keepSecret(on: Queryable, fresh: string): Promise<string> {
  const [row] = await on.query<{ secret: string }>('select rafiki._keep_secret($1) as secret', [fresh]);
  return row?.secret ?? fresh;
}

/** Another secret in place of the one that may have become known. */
export async function rotateSecret(on: Queryable, fresh: string): Promise<void> {
  await on.query('select rafiki._rotate_secret($1)', [fresh]);
}

/** From where the database hears this process; undefined where both are on one machine. */
export async function selectOwnAddress(on: Queryable): Promise<string | undefined> {
  const sql = 'select host(inet_client_addr()) as address where inet_client_addr() <> inet_server_addr()';
  const [row] = await on.query<{ address: string }>(sql);
  return row?.address;
}

/** Points the foreign server at a bridge, beside others; it is forgotten when it is not heard of for half a minute. */
export async function connectBridge(
  on: Queryable,
  { host, port, secret }: { host: string; port: number; secret: string },
): Promise<void> {
  await on.query('select rafiki._connect_bridge($1, $2, $3)', [host, port, secret]);
}

export async function disconnectBridge(on: Queryable, { host, port }: { host: string; port: number }): Promise<void> {
  await on.query('select rafiki._disconnect_bridge($1, $2)', [host, port]);
}
