import { connect } from 'node:net';
import type pg from 'pg';

/** What pg keeps of the server's BackendKeyData, and does not declare. */
interface BackendKey {
  processID: number | null;
  secretKey: number | null;
}

const CANCEL_REQUEST = 80_877_102;
const ANSWER_MS = 5_000;
/** A role's code can catch a cancelled statement, but not the end of its connection. */
const END_MS = 5_000;

/**
 * Cancels the statement of a connection, as Ctrl-C in psql does, by a message on a connection of its own; the statement fails with 57014. The
 * message may arrive late, so the connection must not be used for another statement.
 */
export function cancelStatement(client: pg.Client | pg.PoolClient): void {
  const { host, port, connection } = client as pg.Client;
  const { processID, secretKey } = client as unknown as BackendKey;
  if (processID === null || secretKey === null) return;
  const message = Buffer.alloc(16);
  message.writeInt32BE(message.length, 0);
  message.writeInt32BE(CANCEL_REQUEST, 4);
  message.writeInt32BE(processID, 8);
  message.writeInt32BE(secretKey, 12);
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.setTimeout(ANSWER_MS, () => socket.destroy());
  socket.on('error', () => undefined); // then the statement ends at its time limit
  socket.end(message);
  setTimeout(() => connection.stream.destroy(), END_MS).unref();
}
