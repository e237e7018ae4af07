import type { Queryable } from '../../db/database.ts';

const EVERY_MS = 400;

/**
 * The last line of a terminal, which shows what the workers are doing; messages scroll above it. If the output is not a
 * terminal, there are only messages.
 */
export class LiveLine {
  readonly #db: Queryable;
  #timer: NodeJS.Timeout | undefined;
  #shown = '';

  constructor(db: Queryable) {
    this.#db = db;
  }

  start(): void {
    if (process.stdout.isTTY) this.#timer = setInterval(() => void this.#refresh(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#draw('');
  }

  /** Prints a line above the live line. */
  print(line: string): void {
    const shown = this.#shown;
    this.#draw('');
    process.stdout.write(`${line}\n`);
    this.#draw(shown);
  }

  async #refresh(): Promise<void> {
    const running = await this.#db
      .query<{ text: string }>(
        `select pg_catalog.format('%s %s/%s', family, epoch, coalesce(epochs::text, '…')) as text
         from rafiki.trial where state = 'running' order by number`,
      )
      .catch(() => []); // Postgres may be restarting
    if (this.#timer) this.#draw(running.length > 0 ? `  training: ${running.map(({ text }) => text).join(', ')}` : '');
  }

  #draw(text: string): void {
    if (text === this.#shown || !process.stdout.isTTY) return;
    process.stdout.write(`\r\x1b[2K${text}`);
    this.#shown = text;
  }
}
