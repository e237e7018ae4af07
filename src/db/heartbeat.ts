import { hostname } from 'node:os';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import { version } from '../runtime/version.ts';
import type { Database } from './database.ts';
import { deleteProcess, insertProcess, type ProcessKind, touchProcess } from './statements/processes.ts';

export interface PresenceOptions {
  database: Database;
  kind: ProcessKind;
  threads?: number;
  device?: string;
  /** Called with the id of each row of this process; if it throws, the row is deleted. */
  onRegistered?: (id: number) => Promise<void>;
  logger: Logger;
}

export const PROCESS_BEAT_MS = 5_000;

/** A process's row in rafiki.process: exists while the process runs, updated while it can reach the database. */
export class Heartbeat implements Service {
  readonly #options: PresenceOptions;
  #id: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** All beats: one may hang on a connection that is lost in the network, and the next ones take others meanwhile. */
  #beating: Promise<void> = Promise.resolve();
  #registering: Promise<void> | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** The id of the row; it changes if the process was considered dead and has returned. */
  get id(): number | undefined {
    return this.#id;
  }

  async start(): Promise<void> {
    await this.#register();
    this.#timer = setInterval(() => {
      const beat = this.#beat();
      this.#beating = this.#beating.then(() => beat);
    }, PROCESS_BEAT_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    const id = this.#id;
    this.#id = undefined;
    if (id === undefined) return;
    await deleteProcess(this.#options.database, id).catch((error: Error) => {
      this.#options.logger.warn({ err: error.message }, 'the process row is left for the coordinator to delete');
    });
  }

  /** One row, however many beats miss the old one. */
  #register(): Promise<void> {
    this.#registering ??= this.#insert().finally(() => {
      this.#registering = undefined;
    });
    return this.#registering;
  }

  async #insert(): Promise<void> {
    const { database, kind, threads = 1, device = 'cpu', onRegistered } = this.#options;
    const id = await insertProcess(database, { kind, host: hostname(), pid: process.pid, threads, device, version });
    try {
      await onRegistered?.(id);
    } catch (error) {
      await deleteProcess(database, id).catch(() => undefined); // then the coordinator does, within a minute
      throw error;
    }
    this.#id = id;
  }

  async #beat(): Promise<void> {
    const { database, logger } = this.#options;
    const id = this.#id;
    try {
      if (id === undefined || (await touchProcess(database, id))) return;
      if (this.#id === id) await this.#register(); // unless another beat has
    } catch (error) {
      logger.warn({ err: error instanceof Error ? error.message : error }, 'cannot register or refresh this process');
    }
  }
}
