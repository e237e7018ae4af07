import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { type AddressInfo, BlockList, createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { EnvironmentUnfit, ShuttingDown, TooManyConnections } from '../errors/errors.ts';
import type { Conversation } from '../protocol/conversation.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import { BusyPoll } from './busy-poll.ts';
import type { Certificate } from './certificate.ts';
import type { CancelKey } from './handshake.ts';
import { type BridgeLimits, defaultLimits } from './limits.ts';
import { Room } from './room.ts';
import { createVerifier, type Verifier } from './scram.ts';
import { BridgeSession } from './session.ts';
import { UnauthenticatedConnections } from './unauthenticated.ts';

export interface BridgeOptions {
  host: string;
  /** 0 takes any free port. */
  port: number;
  /**
   * A folder for a Unix socket as well. A database on the same machine then saves some 40 µs a call: loopback TCP runs the
   * whole stack twice.
   */
  socketDir?: string | undefined;
  secret: string;
  certificate: Certificate;
  converse(): Conversation;
  /** Whether no batch runs beside the event loop. */
  isCalm(): boolean;
  logger: Logger;
  limits?: Partial<BridgeLimits>;
}

export interface Address {
  /** As libpq takes it: a name, an address, or the folder of a Unix socket. */
  host: string;
  port: number;
}

/** A machine that vanished is noticed within minutes, not after the kernel's two hours. */
const KEEPALIVE_MS = 10_000;
/** How long stopping waits for answers that are being computed. */
const STOP_MS = 5000;

/** Listens for backends and gives each its session. */
export class BridgeServer implements Service {
  readonly #options: BridgeOptions;
  readonly #limits: BridgeLimits;
  readonly #room: Room;
  readonly #busyPoll: BusyPoll;
  readonly #unauthenticated: UnauthenticatedConnections<BridgeSession>;
  readonly #sessions = new Map<number, { session: BridgeSession; secret: number }>();
  #secret: string;
  #verifier: Verifier;
  readonly #server: Server;
  readonly #local: Server;
  #nextPid = 1;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#secret = options.secret;
    this.#verifier = createVerifier(options.secret);
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#room = new Room(this.#limits.roomBytes);
    this.#unauthenticated = new UnauthenticatedConnections(this.#limits.unauthenticated);
    this.#busyPoll = new BusyPoll(systemClock, options.isCalm);
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS }, (socket) =>
      this.#accept(socket),
    );
    this.#local = createServer((socket) => this.#accept(socket));
  }

  async start(): Promise<void> {
    const { host, port, socketDir } = this.#options;
    await this.#listen(this.#server, { host, port }, `${host}:${port}`);
    if (socketDir === undefined) return;
    const file = socketPath(socketDir, this.#tcp().port);
    await rm(file, { force: true }); // of a server that was killed
    await this.#listen(this.#local, { path: file, readableAll: true, writableAll: true }, file); // the password decides
  }

  async #listen(server: Server, where: ListenOptions, name: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(
          new EnvironmentUnfit(`the bridge cannot listen on ${name}`, {
            detail: cause.message,
            hint:
              cause.code === 'EADDRNOTAVAIL'
                ? 'Say by which address of this machine PostgreSQL reaches it: --bridge-host HOST.'
                : 'Choose another port: --bridge-port N.',
            cause,
          }),
        );
      });
      server.listen(where, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) => {
      this.#options.logger.error({ err: error.message }, 'the bridge cannot accept connections');
    });
  }

  /** Answers what is being computed, for a bounded time, then closes every connection. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const servers = [this.#server, this.#local].filter((server) => server.listening);
    const closed = Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    const deadline = performance.now() + STOP_MS;
    for (const session of this.#unauthenticated) session.end(stopping());
    this.#endIdle();
    while (this.#sessions.size > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      this.#endIdle();
    }
    for (const { session } of this.#sessions.values()) session.end(stopping());
    await closed;
  }

  #endIdle(): void {
    for (const { session } of this.#sessions.values()) if (!session.answering) session.end(stopping());
  }

  /** What new connections must know from now on; those that are open go on. */
  setSecret(secret: string): void {
    if (secret === this.#secret) return;
    this.#secret = secret;
    this.#verifier = createVerifier(secret);
    this.#options.logger.info('the secret of the bridge has changed');
  }

  /** Where a database of this machine finds it best. */
  address(): Address {
    const { socketDir } = this.#options;
    return socketDir === undefined ? this.#tcp() : { host: socketDir, port: this.#tcp().port };
  }

  #tcp(): Address {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  #accept(socket: Socket): void {
    const { certificate, converse } = this.#options;
    const key = { pid: this.#nextPid, secret: randomInt(2 ** 31) };
    this.#nextPid = (this.#nextPid % 0x7fffffff) + 1;
    const session = new BridgeSession({
      socket,
      certificate,
      isLocal: isLocal(socket),
      verifier: this.#verifier,
      key,
      limits: this.#limits,
      room: this.#room,
      converse,
      onHandshakeMessage: (session) => this.#unauthenticated.heardFrom(session),
      onAuthenticated: (session) => this.#enter(session, key),
      onCancelRequest: (wanted) => this.#cancel(wanted),
      onAnswered: (answered) => this.#busyPoll.answered(answered),
    });
    this.#unauthenticated.add(session);
    socket.on('close', () => {
      this.#unauthenticated.remove(session);
      this.#sessions.delete(key.pid);
      this.#busyPoll.forget(session);
    });
  }

  #enter(session: BridgeSession, key: CancelKey): void {
    const max = this.#limits.sessions;
    if (this.#sessions.size >= max) {
      throw new TooManyConnections('the bridge has no connection left', {
        detail: `${max} are open`,
        hint: 'Close sessions that predict no more, or put a pooler in front of PostgreSQL.',
      });
    }
    this.#unauthenticated.remove(session);
    this.#sessions.set(key.pid, { session, secret: key.secret });
  }

  #cancel({ pid, secret }: CancelKey): void {
    const found = this.#sessions.get(pid);
    if (found !== undefined && found.secret === secret) found.session.cancel();
  }
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Over a Unix socket or loopback: what is said does not leave this machine. */
const isLocal = ({ remoteAddress, remoteFamily }: Socket): boolean =>
  remoteAddress === undefined || loopback.check(remoteAddress, remoteFamily === 'IPv6' ? 'ipv6' : 'ipv4');

/** Linux keeps the path of a socket in 108 bytes. */
const MAX_SOCKET_PATH = 107;

/** The name that libpq gives a socket in a folder. */
const socketPath = (dir: string, port: number): string => path.join(dir, `.s.PGSQL.${port}`);

export const fitsSocket = (dir: string): boolean => Buffer.byteLength(socketPath(dir, 65_535)) <= MAX_SOCKET_PATH;

const stopping = (): ShuttingDown =>
  new ShuttingDown('the prediction server is stopping', { hint: 'Ask again: the next server will answer.' });
