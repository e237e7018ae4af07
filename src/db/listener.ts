import pgListen, { type Subscriber } from 'pg-listen';
import { ShuttingDown } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import { CONNECT_TIMEOUT_MS, QUERY_TIMEOUT_MS, startupOptions } from './database.ts';

export interface ListenerOptions {
  url: string;
  channels: readonly string[];
  /**
   * A notification that rows changed; `payload` is an id as text. Any role may send any number: pg-listen forwards each
   * immediately without buffering, and so must the receiver, such as a {@link Wake} with a minimum time.
   */
  onNotify(channel: string, payload: string): void;
  /** Called after every (re)connect: notifications in between are lost, so the rows must be read again. */
  onConnect(): void;
  logger: Logger;
}

const RETRY_MS = 500;

/**
 * LISTEN on a dedicated connection, until stopped: pg-listen reconnects, and the rows are then read again. Its
 * reconnect loop continues after it is closed; only an error in computing the next pause ends it.
 */
export class Listener implements Service {
  readonly #options: ListenerOptions;
  #subscriber: Subscriber | undefined;
  #stopped = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { url, channels, onNotify, onConnect, logger } = this.#options;
    this.#stopped = false;
    const subscriber = pgListen.default(
      {
        connectionString: url,
        application_name: 'rafiki listener',
        options: startupOptions(),
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        query_timeout: QUERY_TIMEOUT_MS, // of pg-listen's own checks: detects a lost connection
      },
      {
        parse: (text: string) => text,
        retryInterval: () => {
          if (this.#stopped) throw new ShuttingDown('the listener is stopped');
          return RETRY_MS;
        },
        retryTimeout: Number.POSITIVE_INFINITY,
        retryLimit: Number.POSITIVE_INFINITY,
      },
    );
    this.#subscriber = subscriber;
    for (const channel of channels) {
      subscriber.notifications.on(channel, (payload: unknown) => onNotify(channel, String(payload ?? '')));
    }
    subscriber.events.on('error', (error: Error) => {
      if (!this.#stopped) logger.warn({ err: error.message }, 'listener lost its connection');
    });
    subscriber.events.on('connected', () => {
      if (this.#stopped)
        void subscriber.close().catch(() => undefined); // it was connecting when it was closed
      else onConnect();
    });
    try {
      await subscriber.connect();
      for (const channel of channels) await subscriber.listenTo(channel);
    } catch (error) {
      await this.stop(); // otherwise it would reconnect forever
      throw error;
    }
    onConnect();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#subscriber?.close();
    this.#subscriber = undefined;
  }
}
