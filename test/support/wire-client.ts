import { connect, type Socket } from 'node:net';
import pg from 'pg';
import type { Address } from '../../src/bridge/server.ts';

/** An untyped packet that opens a connection. */
export function opening(code: number, body = Buffer.alloc(0)): Buffer {
  const packet = Buffer.alloc(8 + body.length);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(code, 4);
  packet.set(body, 8);
  return packet;
}

export const CANCEL_REQUEST = 80877102;
export const SSL_REQUEST = 80877103;

/** A typed frame; `claim` is a length that is not its own. */
export function frame(type: string, body: string | Uint8Array, claim?: number): Buffer {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(5, type, 'latin1');
  head.writeInt32BE(claim ?? bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

export const query = (text: string): Buffer => frame('Q', `${text}\0`);

/** A raw connection to a bridge that continues to send after the other end has closed its side. */
export function bare({ host, port }: Address): Promise<Socket> {
  const where = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
  const socket = connect({ ...where, allowHalfOpen: true });
  socket.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** A client that knows the secret. */
export async function known(address: Address, password = 'right'): Promise<pg.Client> {
  const client = new pg.Client({ ...address, user: 'rafiki', password, database: 'rafiki' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** The bare connection of such a client, on which anything may be sent. */
export async function knownSocket(address: Address): Promise<Socket> {
  const client = await known(address);
  const { stream } = Reflect.get(client, 'connection') as unknown as { stream: Socket };
  for (const event of ['data', 'end', 'close', 'drain']) stream.removeAllListeners(event);
  stream.pause();
  stream.on('error', () => undefined);
  return stream;
}

/** Waits until a connection is closed by the other end. */
export const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.destroyed || socket.readableEnded) resolve();
    for (const event of ['end', 'close']) socket.once(event, () => resolve());
    socket.resume();
  });

/** Sends so many bytes, or as many as the other end takes before it closes; how many they were. */
export async function flood(
  socket: Socket,
  bytes: number,
  chunk: Buffer = Buffer.alloc(2 ** 20, 'x'),
): Promise<number> {
  let sent = 0;
  while (sent < bytes && !socket.destroyed && socket.writable) {
    const isFull = !socket.write(chunk);
    sent += chunk.length;
    if (isFull) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          socket.off('drain', done);
          socket.off('close', done);
          resolve();
        };
        socket.on('drain', done);
        socket.on('close', done);
      });
    }
  }
  return sent;
}

/** Sends the pieces one by one, says no more, and waits until the other end has closed. */
export async function play(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  const gone = closed(socket);
  for (const piece of pieces) {
    if (!socket.writable) break;
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await gone;
  socket.destroy();
}

/** Runs `work` on each, with limited concurrency. */
export async function side<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++] as T);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
