import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Outcomes } from './outcomes.ts';

const CONNECT_MS = 10_000;
/** Maximum time of a statement of the load, far above the 5 s after which a prediction gives up. */
const STATEMENT_MS = 60_000;
const RETRY_MS = 200;
/** From the first failure of a session's calls until it counts as stuck; including Postgres' crash recovery. */
const PATIENCE_MS = 120_000;

export interface LoadSessionOptions {
  url: string;
  outcomes: Outcomes;
}

/** A session like an application's: it continues after errors, and reconnects only when the connection is lost. */
export class LoadSession {
  readonly name: string;
  readonly #options: LoadSessionOptions;
  #client: pg.Client | undefined;
  #failingSinceMs: number | undefined;
  #reported = false;

  constructor(name: string, options: LoadSessionOptions) {
    this.name = name;
    this.#options = options;
  }

  /** Undefined after an error, which is counted; the next call then is the retry. */
  async call<Row>(what: string, sql: string, values: readonly unknown[] = []): Promise<Row[] | undefined> {
    const { outcomes } = this.#options;
    try {
      this.#client ??= await this.#connect();
      const { rows } = await this.#client.query(sql, [...values]);
      outcomes.succeeded(what);
      this.#recovered();
      return rows as Row[];
    } catch (error) {
      outcomes.failed(codeOf(error), `${what}: ${error instanceof Error ? error.message : error}`);
      if (codeOf(error) === 'timeout') this.#drop();
      this.#noteFailure(`${what}: ${error instanceof Error ? error.message : error}`);
      await sleep(RETRY_MS);
      return undefined;
    }
  }

  async close(): Promise<void> {
    await this.#client?.end().catch(() => undefined);
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: `load ${this.name}`,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: STATEMENT_MS,
    });
    client.on('error', () => this.#drop(client));
    client.on('end', () => this.#drop(client));
    await client.connect();
    return client;
  }

  #drop(client = this.#client): void {
    if (client === undefined || client !== this.#client) return;
    this.#client = undefined;
    void client.end().catch(() => undefined);
  }

  #recovered(): void {
    const { outcomes } = this.#options;
    if (this.#failingSinceMs === undefined) return;
    outcomes.longestOutageMs = Math.max(outcomes.longestOutageMs, performance.now() - this.#failingSinceMs);
    this.#failingSinceMs = undefined;
    this.#reported = false;
  }

  #noteFailure(message: string): void {
    this.#failingSinceMs ??= performance.now();
    const forMs = performance.now() - this.#failingSinceMs;
    if (forMs < PATIENCE_MS || this.#reported) return;
    this.#reported = true;
    this.#options.outcomes.stuck.push(`${this.name} after ${(forMs / 1000).toFixed(0)} s: ${message}`);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof pg.DatabaseError) return error.code ?? 'unknown';
  return error instanceof Error && /read timeout/.test(error.message) ? 'timeout' : 'connection';
}
