import type { Database } from '../db/database.ts';
import { connectBridge, disconnectBridge, keepSecret, selectOwnAddress } from '../db/statements/serving.ts';
import type { Logger } from '../runtime/logger.ts';

export interface BridgeAddress {
  host: string;
  port: number;
}

/** A third of the time after which the database forgets a bridge. */
const BEAT_MS = 10_000;

/** Where the database finds this bridge, beside others: said when it listens, and again while it lives. */
export class BridgeRecord {
  readonly #database: Database;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #address: BridgeAddress | undefined;
  #saying: Promise<void> = Promise.resolve();

  constructor({ database, logger }: { database: Database; logger: Logger }) {
    this.#database = database;
    this.#logger = logger;
  }

  /** The secret that the foreign server and all bridges share; `fresh` where there is none yet. */
  secret(fresh: string): Promise<string> {
    return keepSecret(this.#database, fresh);
  }

  /** By which address the database knows this machine; undefined where it is on the same one. */
  ownAddress(): Promise<string | undefined> {
    return selectOwnAddress(this.#database);
  }

  async announce(address: BridgeAddress, secret: string): Promise<void> {
    await connectBridge(this.#database, { ...address, secret });
    this.#address = address;
    this.#timer = setInterval(() => {
      this.#saying = this.#try(connectBridge(this.#database, { ...address, secret }));
    }, BEAT_MS);
  }

  /** New sessions go to other bridges from now on. */
  async withdraw(): Promise<void> {
    clearInterval(this.#timer);
    await this.#saying;
    if (this.#address !== undefined) await this.#try(disconnectBridge(this.#database, this.#address));
    this.#address = undefined;
  }

  #try(saying: Promise<void>): Promise<void> {
    return saying.catch((error: unknown) => {
      this.#logger.warn({ err: String(error) }, 'cannot tell the database where the bridge listens');
    });
  }
}
