import type { Database } from '../db/database.ts';
import { Listener } from '../db/listener.ts';
import { connectBridge, disconnectBridge, ensureSecret, selectOwnAddress } from '../db/statements/serving/bridges.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { Logger } from '../runtime/logger.ts';
import { Wake } from '../runtime/wake.ts';

export interface BridgeAddress {
  host: string;
  port: number;
}

export interface BridgeRecordOptions {
  database: Database;
  /** The secret in the database has changed. */
  onSecret(secret: string): void;
  /** Called before each heartbeat. */
  onBeat(): Promise<void>;
  logger: Logger;
}

export const SERVER_BEAT_MS = 10_000;
/** Any role may send a NOTIFY: this bounds the number of queries. */
const MIN_BEAT_MS = 500;

/**
 * This bridge's address, one of several in the database, and the secret that all bridges share. Both are refreshed
 * periodically.
 */
export class BridgeRecord {
  readonly #options: BridgeRecordOptions;
  readonly #listener: Listener;
  readonly #wake = new Wake(MIN_BEAT_MS);
  readonly #stopping = new AbortController();
  #secret = '';
  #address: BridgeAddress | undefined;
  #beating: Promise<void> = Promise.resolve();

  constructor(options: BridgeRecordOptions) {
    this.#options = options;
    this.#listener = new Listener({
      url: options.database.url,
      channels: ['rafiki_bridge'],
      onNotify: () => this.#wake.notify(),
      onConnect: () => this.#wake.notify(),
      logger: options.logger,
    });
  }

  /** The secret that the foreign server and all bridges share; `fresh` becomes the secret if there is none yet. */
  async secret(fresh: string): Promise<string> {
    this.#secret = await ensureSecret(this.#options.database, fresh);
    return this.#secret;
  }

  /** The address from which the database reaches this machine; undefined if both are the same machine. */
  ownAddress(): Promise<string | undefined> {
    return selectOwnAddress(this.#options.database);
  }

  async announce(address: BridgeAddress): Promise<void> {
    await connectBridge(this.#options.database, { ...address, secret: this.#secret });
    this.#address = address;
    await this.#listener.start();
    this.#beating = this.#keepBeating();
  }

  /** In place of the address so far. */
  async move(address: BridgeAddress): Promise<void> {
    const before = this.#address;
    this.#address = address;
    await connectBridge(this.#options.database, { ...address, secret: this.#secret });
    if (before !== undefined) await disconnectBridge(this.#options.database, before);
  }

  /** New sessions use other bridges from now on. */
  async withdraw(): Promise<void> {
    this.#stopping.abort();
    await this.#listener.stop();
    await this.#beating;
    if (this.#address !== undefined) await this.#try(disconnectBridge(this.#options.database, this.#address));
    this.#address = undefined;
  }

  async #keepBeating(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#wake.wait(SERVER_BEAT_MS, signal);
      if (signal.aborted) return;
      await this.#try(this.#beat());
    }
  }

  async #beat(): Promise<void> {
    const { database, onSecret, onBeat } = this.#options;
    const secret = await ensureSecret(database, this.#secret);
    if (secret !== this.#secret) onSecret(secret);
    this.#secret = secret;
    await this.#try(onBeat());
    if (this.#address !== undefined) await connectBridge(database, { ...this.#address, secret });
  }

  #try(saying: Promise<void>): Promise<void> {
    return saying.catch((error: unknown) => {
      this.#options.logger.warn({ err: reportError(error) }, "the bridge's address cannot be kept up to date");
    });
  }
}
