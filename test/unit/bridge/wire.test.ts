import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls, TLSSocket } from 'node:tls';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCertificate } from '../../../src/bridge/certificate.ts';
import { BridgeServer } from '../../../src/bridge/server.ts';
import { Cancelled, InvalidParameter, ProtocolViolation, UndefinedObject } from '../../../src/errors/errors.ts';
import type { Conversation } from '../../../src/protocol/conversation.ts';
import type { Reply } from '../../../src/protocol/reply.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { knownSocket, query } from '../../support/wire-client.ts';

/** Echoes a request; waits on "wait" until cancelled; refuses two, and long ones that are unknown, also after a while. */
class Echo implements Conversation {
  #giveUp: ((error: Error) => void) | undefined;
  admit(start: string): void | Promise<void> {
    if (start.startsWith('unknown')) throw new UndefinedObject('unknown');
    if (start.startsWith('looked up')) return pause(50).then(() => Promise.reject(new UndefinedObject('unknown')));
  }
  answer(request: string): Reply | Promise<Reply> {
    if (request === 'refuse') throw new InvalidParameter('no', { detail: 'd', hint: 'h' });
    if (request === 'select 1') throw new ProtocolViolation('not a verb');
    if (request === 'wait') {
      return new Promise((_, reject) => {
        this.#giveUp = reject;
      });
    }
    return { s: 'k', v: request, loc: null };
  }
  cancel(): void {
    this.#giveUp?.(new Cancelled('cancelled'));
  }
  close(): void {
    closed++;
    this.cancel();
  }
}

let closed = 0;
let server: BridgeServer;
const certificate = await createCertificate();
const clients: pg.Client[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  closed = 0;
  server = new BridgeServer({
    host: '127.0.0.1',
    port: 0,
    secret: 'right',
    certificate,
    isIdle: () => true,
    converse: () => new Echo(),
    logger: silentLogger,
    limits: { sessions: 3, unauthenticated: 8, handshakeMs: 300, closingMs: 50 },
  });
  await server.start();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.stop();
});

async function client(options: pg.ClientConfig = {}): Promise<pg.Client> {
  const created = new pg.Client({
    ...server.address(),
    user: 'rafiki',
    password: 'right',
    database: 'rafiki',
    ...options,
  });
  created.on('error', () => undefined);
  await created.connect();
  clients.push(created);
  return created;
}

/** A bare connection, and what the server says on it until it closes or `enough` bytes came. */
function bare(bytes: Buffer, enough = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const socket = connect(server.address().port, '127.0.0.1', () => socket.write(bytes));
  sockets.push(socket);
  return new Promise((resolve) => {
    let heard = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      heard = Buffer.concat([heard, chunk]);
      if (heard.length >= enough) resolve(heard);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(heard));
  });
}

function opening(code: number, body = Buffer.alloc(0)): Buffer {
  const packet = Buffer.alloc(8 + body.length);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(code, 4);
  packet.set(body, 8);
  return packet;
}

const startup = (settings: string): Buffer => opening(196608, Buffer.from(`${settings}\0`));

describe('the bridge, with the npm pg client as an independent peer', () => {
  it('authenticates by SCRAM-SHA-256 and answers simple queries with one row', async () => {
    const { rows, fields } = await (await client()).query('hello Wörld 🦁');
    expect(rows).toEqual([{ s: 'k', v: 'hello Wörld 🦁', loc: null }]);
    expect(new Set(fields.map(({ dataTypeID }) => dataTypeID))).toEqual(new Set([pg.types.builtins.TEXT]));
  });

  it.each([
    ['a wrong password', { password: 'wrong' }],
    ['an unknown user', { user: 'postgres' }],
  ])('refuses %s with 28P01', async (_, options) => {
    await expect(client(options)).rejects.toMatchObject({ code: '28P01' });
  });

  it('sends errors of a request in-band, with DETAIL and HINT', async () => {
    const { rows } = await (await client()).query('refuse');
    expect(rows[0]?.s).toBe('e');
    expect(JSON.parse(rows[0]?.v)).toEqual({ sqlstate: '22023', message: 'no', detail: 'd', hint: 'h' });
  });

  it('answers a long request only once it is admitted, however long that takes, and continues', async () => {
    const session = await client();
    const { rows } = await session.query(`looked up${' '.repeat(100_000)}`);
    expect(rows[0]).toMatchObject({ s: 'e', v: expect.stringContaining('42704') });
    expect((await session.query('again')).rows[0]?.v).toBe('again');
  });

  it('answers SQL with 08P01, without a DETAIL or HINT that there is not, and goes on', async () => {
    const session = await client();
    const bare = { code: '08P01', message: 'not a verb', detail: undefined, hint: undefined };
    await expect(session.query('select 1')).rejects.toMatchObject(bare);
    expect((await session.query('again')).rows[0]?.v).toBe('again');
  });

  it('answers an extended query with 08P01', async () => {
    await expect((await client()).query('echo', [1])).rejects.toMatchObject({ code: '08P01' });
  });

  it('carries a megabyte both ways', async () => {
    const text = 'ab🦁c'.repeat(200_000);
    expect((await (await client()).query(text)).rows[0]?.v).toBe(text);
  });

  it('grants a foreign encoding and then refuses to predict in it, never garbles', async () => {
    const session = await client();
    await session.query(`set client_encoding to 'LATIN1'`);
    expect(JSON.parse((await session.query('hello')).rows[0]?.v)).toMatchObject({ sqlstate: '0A000' });
    await session.query(`set client_encoding to 'UTF8'`);
    expect((await session.query('hello')).rows[0]?.v).toBe('hello');
  });

  it('refuses connections above its limit with 53300', async () => {
    await Promise.all([client(), client(), client()]);
    await expect(client()).rejects.toMatchObject({ code: '53300' });
  });

  it('continues with a client that reads its replies late', async () => {
    const socket = await knownSocket(server.address());
    sockets.push(socket);
    const text = 'x'.repeat(100_000);
    for (let i = 0; i < 200; i++) socket.write(query(`${text} answer ${i}.`)); // 20 MB: more than sockets hold
    const waits: number[] = [];
    const isStuck = (): boolean => {
      waits.push(socket.writableLength);
      return waits.at(-1)! > 0 && waits.at(-1) === waits.at(-2);
    };
    await expect.poll(isStuck, { interval: 50 }).toBe(true); // the bridge reads no further
    let answers = 0;
    socket.on('data', (chunk) => {
      answers += chunk.filter((byte) => byte === 46).length; // the full stop of each
    });
    socket.resume();
    await expect.poll(() => answers).toBe(200);
  });

  it('closes the conversation when its client disconnects', async () => {
    const session = await client();
    void session.query('wait').catch(() => undefined);
    clients.splice(0);
    await session.end();
    await expect.poll(() => closed).toBe(1);
  });

  it('cancels a request only with the key of its session', async () => {
    const session = await client();
    const waiting = session.query('wait');
    const key = Buffer.alloc(8);
    key.writeInt32BE(Number(Reflect.get(session, 'processID')), 0);
    key.writeInt32BE(Number(Reflect.get(session, 'secretKey')) ^ 1, 4);
    await bare(opening(80877102, key));
    key.writeInt32BE(Number(Reflect.get(session, 'secretKey')), 4);
    await bare(opening(80877102, key));
    expect(JSON.parse((await waiting).rows[0]?.v)).toMatchObject({ sqlstate: '57014' });
    expect((await session.query('again')).rows[0]?.v).toBe('again');
  });

  it('stops while a client is connected, and says why', async () => {
    const session = await client();
    const error = new Promise((resolve) => session.once('error', resolve));
    await server.stop();
    await server.stop();
    expect(await error).toMatchObject({ code: '57P01', hint: expect.stringContaining('Repeat the call') });
  });
});

/** The certificate is self-signed; the client checks that both ends see the same one. */
const encrypted = { ssl: { rejectUnauthorized: false }, enableChannelBinding: true };

describe('the bridge over TLS', () => {
  it('authenticates by SCRAM-SHA-256-PLUS and answers', async () => {
    const session = await client(encrypted);
    expect((await session.query('hello Wörld 🦁')).rows).toEqual([{ s: 'k', v: 'hello Wörld 🦁', loc: null }]);
    const text = 'ab🦁c'.repeat(200_000);
    expect((await session.query(text)).rows[0]?.v).toBe(text);
  });

  it('closes the conversation when its client disconnects', async () => {
    const session = await client(encrypted);
    void session.query('wait').catch(() => undefined);
    clients.splice(0);
    await session.end();
    await expect.poll(() => closed).toBe(1);
  });

  it.each([
    ['a wrong password', { ...encrypted, password: 'wrong' }],
    ['an unknown user', { ...encrypted, user: 'postgres' }],
  ])('refuses %s with 28P01', async (_, options) => {
    await expect(client(options)).rejects.toMatchObject({ code: '28P01' });
  });

  it('stops while a client is connected', async () => {
    await client(encrypted);
    await server.stop();
  });

  it('refuses a client that does not bind the exchange to the connection', async () => {
    await expect(client({ ssl: encrypted.ssl })).rejects.toThrow(/SCRAM-SHA-256/);
  });

  it('refuses a man in the middle, with another certificate', async () => {
    const { context } = await createCertificate();
    const middle = createServer((socket) => {
      socket.once('data', () => {
        socket.write('S');
        const inner = new TLSSocket(socket, { isServer: true, secureContext: context });
        const raw = connect(server.address().port, '127.0.0.1', () => raw.write(opening(80877103)));
        raw.once('data', () => {
          const outer = connectTls({ socket: raw, rejectUnauthorized: false });
          inner.pipe(outer).pipe(inner);
          for (const each of [inner, outer]) each.on('error', () => undefined);
        });
        sockets.push(socket, raw);
      });
    });
    await new Promise<void>((resolve) => middle.listen(0, '127.0.0.1', resolve));
    const { port } = middle.address() as AddressInfo;
    await expect(client({ ...encrypted, port })).rejects.toMatchObject({ code: '28P01' });
    middle.close();
  });

  it('refuses bytes that came ahead of the encryption', async () => {
    const heard = await bare(Buffer.concat([opening(80877103), startup('user\0rafiki\0')]));
    expect(heard.toString('latin1')).toMatch(/^S.*C08P01/s);
  });
});

describe('the address of the bridge', () => {
  const beside = (options: { host?: string; port?: number; socketDir?: string }): BridgeServer => {
    const [converse, isIdle] = [() => new Echo(), () => true];
    return new BridgeServer({
      ...{ host: '127.0.0.1', port: 0, secret: 'right', certificate, converse, isIdle },
      ...{ logger: silentLogger, ...options },
    });
  };

  it('causes an error with a hint if it cannot be used', async () => {
    await expect(beside({ port: server.address().port }).start()).rejects.toMatchObject({
      hint: 'Choose another port: --bridge-port N.',
    });
    await expect(beside({ host: '192.0.2.1' }).start()).rejects.toMatchObject({
      hint: expect.stringContaining('--bridge-host'),
    });
  });

  const loopback6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));

  it.skipIf(!loopback6)('is this machine over IPv6, too, where nothing needs to be encrypted', async () => {
    await server.stop();
    server = beside({ host: '::1' });
    await server.start();
    expect((await (await client()).query('hello')).rows[0]?.v).toBe('hello');
  });

  it('is a socket as well, in place of one that was left there', async () => {
    const socketDir = mkdtempSync(path.join(tmpdir(), 'rafiki-bridge-'));
    const { port } = server.address();
    await server.stop();
    const file = path.join(socketDir, `.s.PGSQL.${port}`);
    writeFileSync(file, 'left');
    server = beside({ port, socketDir });
    await server.start();
    expect(server.address()).toEqual({ host: socketDir, port });
    expect((await (await client()).query('hello')).rows[0]?.v).toBe('hello');
    await Promise.all(clients.splice(0).map((each) => each.end()));
    await server.stop();
    expect(existsSync(file)).toBe(false);
    rmSync(socketDir, { recursive: true });
  });
});

describe('the bridge, byte by byte', () => {
  it('refuses other encryption with one letter and continues', async () => {
    const heard = await bare(Buffer.concat([opening(80877104), startup('user\0rafiki\0')]), 2);
    expect(heard.toString('latin1', 0, 2)).toBe('NR');
    expect(heard.includes('SCRAM-SHA-256')).toBe(true);
  });

  it.each([
    ['another protocol version', opening(131072), '08P01'],
    ['a client encoding other than UTF-8', startup('user\0rafiki\0client_encoding\0LATIN1\0'), '0A000'],
    ['an opening packet that is too long', Buffer.from([0, 1, 0, 0, 0, 3, 0, 0]), '08P01'],
    [
      'a password before it was asked for one',
      Buffer.concat([startup('user\0rafiki\0'), Buffer.from('Q\0\0\0\x05\0')]),
      '08P01',
    ],
  ])('refuses %s', async (_, bytes, sqlstate) => {
    expect((await bare(bytes)).toString('latin1')).toContain(`C${sqlstate}`);
  });

  it('closes silently on a cancel request, with a known key or not', async () => {
    expect(await bare(opening(80877102, Buffer.alloc(8)))).toHaveLength(0);
  });

  it('survives connections that are reset in the middle', async () => {
    for (const bytes of [Buffer.from([0]), opening(80877103), startup('user\0rafiki\0')]) {
      const socket = connect(server.address().port, '127.0.0.1', () => {
        socket.write(bytes);
        socket.resetAndDestroy();
      });
      await new Promise((resolve) => socket.on('close', resolve));
    }
    expect((await (await client()).query('alive')).rows[0]?.v).toBe('alive');
  });
});
