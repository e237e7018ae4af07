import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { EnvironmentUnfit, serverStopping, TooManyConnections } from '../errors/errors.ts';
import type { Conversation } from '../protocol/conversation.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { isLoopback } from '../runtime/loopback.ts';
import { MemoryBudget } from '../runtime/memory-budget.ts';
import type { Service } from '../runtime/service.ts';
import { BusyPoll } from './busy-poll.ts';
import type { Certificate } from './certificate.ts';
import type { CancelKey } from './handshake.ts';
import { type BridgeLimits, defaultLimits } from './limits.ts';
import { createVerifier, type Verifier } from './scram.ts';
import { BridgeSession } from './session.ts';
import { socketPath } from './socket-path.ts';
import { UnauthenticatedConnections } from './unauthenticated.ts';

export interface BridgeOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  /**
   * Folder of an additional Unix socket. It saves a database on the same machine about 40 µs per call: loopback TCP
   * runs through the network stack twice.
   */
  socketDir?: string | undefined;
  secret: string;
  certificate: Certificate;
  converse(): Conversation;
  /** Whether no batch is running. */
  isIdle(): boolean;
  logger: Logger;
  limits?: Partial<BridgeLimits>;
}

export interface Address {
  /** A host for libpq: a name, an address, or the folder of a Unix socket. */
  host: string;
  port: number;
}

/** Detects a lost machine within minutes instead of the kernel's two hours. */
const KEEPALIVE_MS = 10_000;
/** How long stop() waits for requests in progress. */
const STOP_MS = 5000;

/** Accepts backends' connections and creates a session for each. */
export class BridgeServer implements Service {
  readonly #options: BridgeOptions;
  readonly #limits: BridgeLimits;
  readonly #longRequestMemory: MemoryBudget;
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
    this.#longRequestMemory = new MemoryBudget(this.#limits.longRequestMemoryBytes);
    this.#unauthenticated = new UnauthenticatedConnections(this.#limits.unauthenticated);
    this.#busyPoll = new BusyPoll(systemClock, options.isIdle);
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
    await rm(file, { force: true }); // left by a killed server
    await this.#listen(this.#local, { path: file, readableAll: true, writableAll: true }, file); // access is checked by password
  }

  async #listen(server: Server, options: ListenOptions, name: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(
          new EnvironmentUnfit(`the bridge cannot listen on ${name}`, {
            detail: cause.message,
            hint:
              cause.code === 'EADDRNOTAVAIL'
                ? 'Set an address of this machine that PostgreSQL can reach: --bridge-host HOST.'
                : 'Choose another port: --bridge-port N.',
            cause,
          }),
        );
      });
      server.listen(options, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) => {
      this.#options.logger.error({ err: error.message }, 'the bridge cannot accept connections');
    });
  }

  /** Waits a bounded time for requests in progress, then closes all connections. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const servers = [this.#server, this.#local].filter((server) => server.listening);
    const closed = Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    const deadline = performance.now() + STOP_MS;
    for (const session of this.#unauthenticated) session.end(serverStopping());
    this.#endIdle();
    while (this.#sessions.size > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      this.#endIdle();
    }
    for (const { session } of this.#sessions.values()) session.end(serverStopping());
    await closed;
  }

  #endIdle(): void {
    for (const { session } of this.#sessions.values()) if (!session.answering) session.end(serverStopping());
  }

  /** Applies to new connections; open ones continue. */
  setSecret(secret: string): void {
    if (secret === this.#secret) return;
    this.#secret = secret;
    this.#verifier = createVerifier(secret);
    this.#options.logger.info("the bridge's secret has changed");
  }

  /** Sessions that have logged in. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** The address for a database on this machine. */
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
      longRequestMemory: this.#longRequestMemory,
      converse,
      onHandshakeMessage: (session) => this.#unauthenticated.messageReceived(session),
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
      throw new TooManyConnections('the bridge has too many connections', {
        detail: `${max} are open`,
        hint: 'Close sessions that no longer predict, use a connection pooler for PostgreSQL, or raise --bridge-sessions.',
      });
    }
    this.#unauthenticated.remove(session);
    this.#sessions.set(key.pid, { session, secret: key.secret });
  }

  #cancel({ pid, secret }: CancelKey): void {
    const match = this.#sessions.get(pid);
    if (match !== undefined && match.secret === secret) match.session.cancel();
  }
}

/** Whether the connection is over a Unix socket or loopback, so that no data leaves this machine. */
const isLocal = ({ remoteAddress }: Socket): boolean => remoteAddress === undefined || isLoopback(remoteAddress);
