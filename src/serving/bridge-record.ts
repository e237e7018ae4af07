import type { Database } from '../db/database.ts';
import { Listener } from '../db/listener.ts';
import { connectBridge, disconnectBridge, keepSecret, selectOwnAddress } from '../db/statements/bridges.ts';
import type { Logger } from '../runtime/logger.ts';
import { Wake } from '../runtime/wake.ts';

export interface BridgeAddress {
  host: string;
  port: number;
}

export interface BridgeRecordOptions {
  database: Database;
  /** The secret in the database is another one now. */
  onSecret(secret: string): void;
  logger: Logger;
}

/** A third of the time after which the database forgets a bridge. */
const BEAT_MS = 10_000;
/** Any role may send a NOTIFY: the database is asked no more often than this. */
const LEAST_BEAT_MS = 500;

/** Where the database finds this bridge, beside others, and the secret that they share: said and read again while it lives. */
export class BridgeRecord {
  readonly #options: BridgeRecordOptions;
  readonly #listener: Listener;
  readonly #wake = new Wake(LEAST_BEAT_MS);
  readonly #stopping = new AbortController();
  #secret = '';
  #address: BridgeAddress | undefined;
  #beating: Promise<void> = Promise.resolve();

  constructor(options: BridgeRecordOptions) {
    this.#options = options;
    this.#listener = new Listener({
      url: options.database.url,
      channels: ['rafiki_bridge'],
      onNotify: () => this.#wake.poke(),
      onConnect: () => this.#wake.poke(),
      logger: options.logger,
    });
  }

  /** The secret that the foreign server and all bridges share; `fresh` where there is none yet. */
  async secret(fresh: string): Promise<string> {
    this.#secret = await keepSecret(this.#options.database, fresh);
    return this.#secret;
  }

  /** By which address the database knows this machine; undefined where it is on the same one. */
  ownAddress(): Promise<string | undefined> {
    return selectOwnAddress(this.#options.database);
  }

  async announce(address: BridgeAddress): Promise<void> {
    await connectBridge(this.#options.database, { ...address, secret: this.#secret });
    this.#address = address;
    await this.#listener.start();
    this.#beating = this.#keepBeating(address);
  }

  /** New sessions go to other bridges from now on. */
  async withdraw(): Promise<void> {
    this.#stopping.abort();
    await this.#listener.stop();
    await this.#beating;
    if (this.#address !== undefined) await this.#try(disconnectBridge(this.#options.database, this.#address));
    this.#address = undefined;
  }

  async #keepBeating(address: BridgeAddress): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#wake.wait(BEAT_MS, signal);
      if (signal.aborted) return;
      await this.#try(this.#beat(address));
    }
  }

  async #beat(address: BridgeAddress): Promise<void> {
    const { database, onSecret } = this.#options;
    const secret = await keepSecret(database, this.#secret);
    if (secret !== this.#secret) onSecret(secret);
    this.#secret = secret;
    await connectBridge(database, { ...address, secret });
  }

  #try(saying: Promise<void>): Promise<void> {
    return saying.catch((error: unknown) => {
      this.#options.logger.warn({ err: String(error) }, 'cannot tell the database where the bridge listens');
    });
  }
}
