import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where what the long benches measured is kept, and committed. */
export const experimentsDir = fileURLToPath(new URL('../../docs/experiments/', import.meta.url));

/**
 * Measured rows in a file, one line of comma-separated values each, after a line of names. What is there is not measured
 * again, so a bench that is interrupted goes on where it was; to measure anew, delete the file.
 */
export class Results {
  readonly #file: string;
  readonly #rows: string[][];

  constructor(name: string, columns: readonly string[]) {
    this.#file = path.join(experimentsDir, name);
    mkdirSync(path.dirname(this.#file), { recursive: true });
    if (!existsSync(this.#file)) appendFileSync(this.#file, `${columns.join(',')}\n`);
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    this.#rows = lines.slice(1, -1).map((line) => line.split(',')); // what follows the last line end was cut off
  }

  get rows(): readonly (readonly string[])[] {
    return this.#rows;
  }

  /** Whether a row begins with these values. */
  has(...key: readonly (string | number)[]): boolean {
    return this.#rows.some((row) => key.every((value, i) => row[i] === String(value)));
  }

  add(...row: readonly (string | number)[]): void {
    this.#rows.push(row.map(String));
    appendFileSync(this.#file, `${row.join(',')}\n`);
  }
}
