import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Committed results of the long benches. */
export const experimentsDir = fileURLToPath(new URL('../docs/experiments/', import.meta.url));

/** Measured rows; the first values of each identify it. */
export class Results {
  readonly #rows: string[][] = [];

  get rows(): readonly (readonly string[])[] {
    return this.#rows;
  }

  /** Whether a row begins with these values. */
  has(...key: readonly (string | number)[]): boolean {
    return this.#rows.some((row) => key.every((value, i) => row[i] === String(value)));
  }

  add(...rows: readonly (readonly (string | number)[])[]): void {
    this.#rows.push(...rows.map((row) => row.map(String)));
  }
}

/**
 * Measured rows in a file, one line of comma-separated values each, after a line of names. Existing rows are not measured
 * again, so an interrupted bench continues where it was; to measure again, delete the file.
 */
export class KeptResults extends Results {
  readonly #file: string;

  constructor(name: string, columns: readonly string[]) {
    super();
    this.#file = path.join(experimentsDir, name);
    mkdirSync(path.dirname(this.#file), { recursive: true });
    if (!existsSync(this.#file)) appendFileSync(this.#file, `${columns.join(',')}\n`);
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    super.add(...lines.slice(1, -1).map((line) => line.split(','))); // an incomplete last line is discarded
  }

  /** Rows that belong together are written together. */
  override add(...rows: readonly (readonly (string | number)[])[]): void {
    super.add(...rows);
    appendFileSync(this.#file, rows.map((row) => `${row.join(',')}\n`).join(''));
  }
}
