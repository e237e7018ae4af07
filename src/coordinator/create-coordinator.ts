import type { Connection, Database } from '../db/database.ts';
import { Listener } from '../db/listener.ts';
import { Presence } from '../db/presence.ts';
import { replaceFamilies } from '../db/statements/families.ts';
import { tryToLead } from '../db/statements/leadership.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { createParamStore } from '../params/create-param-store.ts';
import type { ParamStore } from '../params/param-store.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Service, startAll, stopAll } from '../runtime/service.ts';
import { Wake } from '../runtime/wake.ts';
import { familyRows } from './family-rows.ts';
import { Housekeeping } from './housekeeping.ts';
import { keepStudies } from './study-keeper.ts';

export interface CoordinatorOptions {
  database: Database;
  logger: Logger;
}

/** The backstop for a lost NOTIFY, and how soon a standby notices that the leader is gone. */
const TICK_MS = 1_000;

export const createCoordinator = (options: CoordinatorOptions): Service => new Coordinator(options);

/** Several may run; one, which holds the lock, acts. All its writes go through the connection that holds it. */
class Coordinator implements Service {
  readonly #options: CoordinatorOptions;
  readonly #params: ParamStore;
  readonly #presence: Presence;
  readonly #listener: Listener;
  readonly #wake = new Wake();
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    const { database, logger } = options;
    this.#params = createParamStore(database);
    this.#presence = new Presence({ database, kind: 'coordinator', logger });
    this.#listener = new Listener({
      url: database.url,
      channels: ['rafiki_study', 'rafiki_report', 'rafiki_deployment'],
      onNotify: () => this.#wake.poke(),
      onConnect: () => this.#wake.poke(),
      logger,
    });
  }

  async start(): Promise<void> {
    await replaceFamilies(this.#options.database, familyRows());
    await startAll([this.#presence, this.#listener]);
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await stopAll([this.#presence, this.#listener]);
  }

  async #run(): Promise<void> {
    const { logger } = this.#options;
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#session();
      } catch (error) {
        logger.warn({ err: reportError(error) }, 'leadership lost, or not to be had');
      }
      await this.#wake.wait(TICK_MS, this.#stopping.signal);
    }
  }

  /** One connection's life: stand by until the lock is ours, then lead until the connection ends. */
  async #session(): Promise<void> {
    const { database, logger } = this.#options;
    const { signal } = this.#stopping;
    let lost = false;
    const connection = await database.connect(() => {
      lost = true;
      this.#wake.poke();
    });
    try {
      while (!lost && !signal.aborted && !(await tryToLead(connection))) await this.#wake.wait(TICK_MS, signal);
      if (lost || signal.aborted) return;
      logger.info('leading');
      const housekeeping = new Housekeeping({ connection, params: this.#params, clock: systemClock, logger });
      try {
        while (!lost && !signal.aborted) await this.#tick(connection, housekeeping);
      } finally {
        await housekeeping.stop();
      }
    } finally {
      await connection.close().catch(() => undefined); // closing is all that is left to do with a broken one
    }
  }

  async #tick(connection: Connection, housekeeping: Housekeeping): Promise<void> {
    if (await keepStudies(connection, this.#options.logger)) this.#wake.poke();
    await housekeeping.run();
    await this.#wake.wait(TICK_MS, this.#stopping.signal);
  }
}
