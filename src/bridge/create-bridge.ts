import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { defaultCacheDir } from '../runtime/disk/cache-dir.ts';
import { ensureUsableDir } from '../runtime/disk/private-dir.ts';
import type { MeasuredService } from '../runtime/measured.ts';
import type { Service } from '../runtime/service.ts';
import { BridgeRecord } from '../serving/bridge-record.ts';
import { type CreateServingOptions, createServing } from '../serving/create-serving.ts';
import { PredictConversation } from '../serving/session/conversation.ts';
import { createCertificate } from './certificate.ts';
import { CountedConversation, ErrorCounts } from './counted-conversation.ts';
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
}

const loopback = '127.0.0.1';

export interface Bridge extends Service, MeasuredService {
  /** The address for the database; available after start. */
  address(): Address;
}

/** Serving with its bridge: loads the models, listens, and publishes the address to the database. */
export function createBridge(options: CreateBridgeOptions): Bridge {
  const { database, host, port, socketDir, cacheDir = defaultCacheDir(), logger } = options;
  const serving = createServing(options);
  const errors = new ErrorCounts();
  let server: BridgeServer | undefined;
  const record = new BridgeRecord({ database, onSecret: (secret) => server?.setSecret(secret), logger });

  return {
    async start() {
      await ensureUsableDir(cacheDir);
      const secret = await record.secret(randomBytes(24).toString('hex'));
      server = new BridgeServer({
        host: host ?? (await record.ownAddress()) ?? loopback,
        port,
        socketDir,
        secret,
        certificate: await createCertificate(),
        converse: () => new CountedConversation(new PredictConversation(serving.connect()), errors),
        isIdle: () => serving.isIdle(),
        logger,
      });
      await serving.start();
      try {
        await server.start();
        await record.announce(reachable(server.address()));
      } catch (error) {
        await this.stop();
        throw error;
      }
    },
    async stop() {
      await record.withdraw();
      await server?.stop();
      await serving.stop();
    },
    measured: () => [
      ...serving.measured(),
      errors.measured(),
      {
        name: 'rafiki_bridge_sessions',
        help: 'Connections of database sessions.',
        kind: 'gauge',
        values: [{ labels: {}, value: server?.sessions ?? 0 }],
      },
    ],
    address: () => reachable(server?.address() ?? { host: host ?? loopback, port }),
  };
}

/** For a server that listens on all addresses: the machine's name. */
const reachable = ({ host, port }: Address): Address => ({
  host: ['0.0.0.0', '::'].includes(host) ? hostname() : host,
  port,
});
