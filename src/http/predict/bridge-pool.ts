import { type BridgeDirectory, BridgeSessionClient, selectBridges } from '../../db/bridge-login.ts';
import type { Database } from '../../db/database.ts';
import { Cancelled, StatementRefused } from '../../errors/errors.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import { SEPARATOR } from '../../protocol/request.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Service } from '../../runtime/service.ts';
import { HttpRefusal } from '../error-answer.ts';

export interface BridgePoolOptions {
  database: Database;
  logger: Logger;
}

/** How often the list of servers is read again, and idle sessions are closed: those that no request has needed since. */
const REFRESH_MS = 10_000;
/** Reading the list because a server does not answer: not more often than this. */
const MIN_REFRESH_MS = 200;
/** How often a request is sent: a server that stops closes its sessions, and the next one answers. */
const TRIES = 3;
/** Handshakes at the same time: a server gives each five seconds, and answers meanwhile. */
const MAX_OPENING = 8;

/** Sessions at the prediction servers, each with one request at a time. How many there are is bounded by their users. */
export class BridgePool implements Service {
  readonly #options: BridgePoolOptions;
  /** The last used at the end. */
  readonly #idle: BridgeSessionClient[] = [];
  /** The fewest idle sessions since the last refresh. */
  #leastIdle = 0;
  #directory: BridgeDirectory = { places: [], secret: '' };
  #readMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #next = 0;
  #opening = 0;
  /** Requests that wait for a session that another one gives back, or for their turn to open one. */
  readonly #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BridgePoolOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.refresh();
    this.#timer = setInterval(() => this.#tick(), REFRESH_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#idle.splice(0).map((session) => session.close()));
  }

  /** Whether any server is known. */
  get hasServers(): boolean {
    return this.#directory.places.length > 0;
  }

  /** Reads the list of servers and the secret again. */
  refresh(): Promise<void> {
    this.#reading ??= selectBridges(this.#options.database)
      .then((directory) => {
        this.#directory = directory;
        this.#readMs = performance.now();
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  /** The value of the reply. Throws what the server refused the request with. When `signal` aborts, the server drops it. */
  async ask(request: string, signal: AbortSignal): Promise<string | null> {
    for (let tries = 1; ; tries++) {
      if (signal.aborted) throw disconnected();
      const session = await this.#session();
      const drop = (): void => session.destroy();
      signal.addEventListener('abort', drop, { once: true });
      try {
        if (signal.aborted) throw disconnected(); // while it waited for the session
        return await this.#askIn(session, request);
      } catch (error) {
        if (signal.aborted) throw disconnected();
        if (!session.isLost && error instanceof StatementRefused) throw error;
        if (tries >= TRIES) throw unreachable(error);
      } finally {
        signal.removeEventListener('abort', drop);
        if (!session.isLost) this.#idle.push(session);
        this.#waiting.shift()?.();
      }
    }
  }

  async #askIn(session: BridgeSessionClient, request: string): Promise<string | null> {
    let reply = await session.ask(request);
    while (reply[0] === 'w') reply = await session.ask(`R${SEPARATOR}${reply[1]}`);
    if (reply[0] !== 'e') return reply[1];
    const { sqlstate, message, detail, hint } = JSON.parse(reply[1] ?? '{}') as ErrorReport;
    throw new StatementRefused(sqlstate, message, {
      ...(detail === undefined ? {} : { detail }),
      ...(hint === undefined ? {} : { hint }),
    });
  }

  async #session(): Promise<BridgeSessionClient> {
    for (;;) {
      const idle = this.#takeIdle();
      if (idle !== undefined) return idle;
      if (this.#opening < MAX_OPENING) break;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#opening++;
    try {
      return await this.#openAny();
    } finally {
      this.#opening--;
      this.#waiting.shift()?.();
    }
  }

  #takeIdle(): BridgeSessionClient | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      this.#leastIdle = Math.min(this.#leastIdle, this.#idle.length);
      if (!idle.isLost) return idle;
    }
    return undefined;
  }

  async #openAny(): Promise<BridgeSessionClient> {
    const first = await this.#open();
    if (first !== undefined) return first;
    if (performance.now() - this.#readMs > MIN_REFRESH_MS) await this.refresh();
    const second = await this.#open();
    if (second !== undefined) return second;
    throw unreachable(undefined);
  }

  /** A session at one of the servers, which take turns; undefined if none accepts it. */
  async #open(): Promise<BridgeSessionClient | undefined> {
    const { places, secret } = this.#directory;
    const from = this.#next++;
    for (let i = 0; i < places.length; i++) {
      const place = places[(from + i) % places.length];
      if (place === undefined) continue;
      try {
        return await BridgeSessionClient.open(place, secret);
      } catch (error) {
        this.#options.logger.warn({ place, err: String(error) }, 'a prediction server cannot be reached');
      }
    }
    return undefined;
  }

  #tick(): void {
    for (const session of this.#idle.splice(0, this.#leastIdle)) void session.close();
    this.#leastIdle = this.#idle.length;
    this.refresh().catch((error: unknown) => {
      this.#options.logger.warn({ err: String(error) }, 'cannot read the list of prediction servers');
    });
  }
}

const disconnected = (): Cancelled => new Cancelled('the client has disconnected');

const unreachable = (cause: unknown): HttpRefusal =>
  new HttpRefusal({ status: 503, sqlstate: '08006' }, 'no prediction server answers', {
    hint: 'Start one with: rafiki serve, or rafiki up; or repeat the request in a moment.',
    cause,
  });
