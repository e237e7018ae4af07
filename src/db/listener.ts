import pgListen, { type Subscriber } from 'pg-listen';
import { ShuttingDown } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import { CONNECT_TIMEOUT_MS, QUERY_TIMEOUT_MS, startupOptions } from './database.ts';

export interface ListenerOptions {
  url: string;
  channels: readonly string[];
  /**
   * A hint that rows changed; `payload` is an id as text. Any role may send as many as it likes: pg-listen hands each on at once and
   * keeps none, and so must whoever hears it: a poke of a {@link Wake} that has a least time.
   */
  onNotify(channel: string, payload: string): void;
  /** Called after every (re)connect: notifications sent while away are lost, so look at the rows again. */
  onConnect(): void;
  logger: Logger;
}

const RETRY_MS = 500;

/**
 * LISTEN on its own connection, until stopped: pg-listen reconnects, and the rows are scanned again each time it did. Its loop
 * that reconnects goes on when it is closed; only an error in what it asks for the next pause ends it.
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
        query_timeout: QUERY_TIMEOUT_MS, // of pg-listen's own checks: a connection that is only half there is left
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
      await this.stop(); // or it would go on connecting, for ever
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
