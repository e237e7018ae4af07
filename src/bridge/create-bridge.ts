import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { defaultCacheDir } from '../runtime/disk/cache-dir.ts';
import { ensureUsableDir } from '../runtime/disk/private-dir.ts';
import type { Measured, MeasuredService } from '../runtime/measured.ts';
import { type Service, stopAll } from '../runtime/service.ts';
import { BridgeRecord } from '../serving/bridge-record.ts';
import { type CreateServingOptions, createServing } from '../serving/create-serving.ts';
import type { Serving } from '../serving/serving.ts';
import { PredictConversation } from '../serving/session/conversation.ts';
import { createCertificate } from './certificate.ts';
import { CountedConversation, ErrorCounts } from './counted-conversation.ts';
import { defaultLimits } from './limits.ts';
import { type Address, BridgeServer } from './server.ts';

export interface CreateBridgeOptions extends CreateServingOptions {
  /**
   * Address to listen on. Default: loopback, or, for a database on another machine, the address from which it is
   * reached.
   */
  host?: string | undefined;
  port: number;
  /** Also listens on a Unix socket in this folder, which the database then uses. */
  socketDir?: string | undefined;
  /** Maximum of sessions; default: {@link defaultLimits}. */
  maxSessions?: number | undefined;
}

const loopback = '127.0.0.1';

export interface Bridge extends Service, MeasuredService {
  /** The address for the database; available after start. */
  address(): Address;
}

export const createBridge = (options: CreateBridgeOptions): Bridge => new ServingBridge(options);

/** Serving with its bridge: loads the models, listens, and publishes the address to the database. */
class ServingBridge implements Bridge {
  readonly #options: CreateBridgeOptions;
  readonly #serving: Serving;
  readonly #record: BridgeRecord;
  readonly #errors = new ErrorCounts();
  readonly #maxSessions: number;
  #server: BridgeServer | undefined;
  #secret = '';
  /** The address from which the database reaches this machine, as the server knows it; undefined if both are the same machine. */
  #own: string | undefined;

  constructor(options: CreateBridgeOptions) {
    this.#options = options;
    this.#serving = createServing(options);
    const { database, host, socketDir, maxSessions = defaultLimits.sessions, logger } = options;
    this.#maxSessions = maxSessions;
    const isFixed = host !== undefined || socketDir !== undefined;
    this.#record = new BridgeRecord({
      database,
      onSecret: (secret) => {
        this.#secret = secret;
        this.#server?.setSecret(secret);
      },
      onBeat: () => (isFixed ? Promise.resolve() : this.#follow()),
      logger,
    });
  }

  async start(): Promise<void> {
    const { cacheDir = defaultCacheDir() } = this.#options;
    await ensureUsableDir(cacheDir);
    this.#secret = await this.#record.secret(randomBytes(24).toString('hex'));
    this.#own = await this.#record.ownAddress();
    const server = await this.#newServer(this.#own);
    this.#server = server;
    await this.#serving.start();
    try {
      await server.start();
      await this.#record.announce(reachable(server.address()));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  stop(): Promise<void> {
    const server = { stop: async () => this.#server?.stop() };
    return stopAll([this.#serving, server, { stop: () => this.#record.withdraw() }]);
  }

  measured(): Measured[] {
    return [
      ...this.#serving.measured(),
      this.#errors.measured(),
      {
        name: 'rafiki_bridge_sessions',
        help: 'Connections of database sessions.',
        kind: 'gauge',
        values: [{ labels: {}, value: this.#server?.sessions ?? 0 }],
      },
      {
        name: 'rafiki_bridge_sessions_max',
        help: 'Connections of database sessions that the server takes.',
        kind: 'gauge',
        values: [{ labels: {}, value: this.#maxSessions }],
      },
    ];
  }

  address(): Address {
    const { host = loopback, port } = this.#options;
    return reachable(this.#server?.address() ?? { host, port });
  }

  async #newServer(own: string | undefined): Promise<BridgeServer> {
    const { host = own ?? loopback, port, socketDir, logger } = this.#options;
    return new BridgeServer({
      ...{ host, port, socketDir, secret: this.#secret, logger },
      certificate: await createCertificate(),
      converse: () => new CountedConversation(new PredictConversation(this.#serving.connect()), this.#errors),
      isIdle: () => this.#serving.isIdle(),
      limits: { sessions: this.#maxSessions },
    });
  }

  /** After a failover the database may be on another machine, and reach this one at another address: listens there instead. */
  async #follow(): Promise<void> {
    const [before, now] = [this.#own, await this.#record.ownAddress()];
    if (now === before) return;
    const [previous, server] = [this.#server, await this.#newServer(now)];
    await server.start();
    this.#server = server;
    this.#own = now;
    const { logger } = this.#options;
    logger.warn(
      { before: before ?? loopback, now: now ?? loopback },
      'the database has moved: listening on another address',
    );
    try {
      await this.#record.move(reachable(server.address()));
    } finally {
      await previous?.stop();
    }
  }
}

/** For a server that listens on all addresses: the machine's name. */
const reachable = ({ host, port }: Address): Address => ({
  host: ['0.0.0.0', '::'].includes(host) ? hostname() : host,
  port,
});
