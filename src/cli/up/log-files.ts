import { closeSync, fstatSync, openSync, readSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import type { Logger } from '../../runtime/logger.ts';
import type { Service } from '../../runtime/service.ts';

/** Maximum of a log, beyond what is written between two checks; `FILE.1` keeps as much of what was before. */
const MAX_BYTES = 16 * 2 ** 20;
const CHECK_MS = 10_000;

/** Keeps logs below a size while it runs. */
export class BoundedLogs implements Service {
  readonly #files: readonly string[];
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;

  constructor(files: readonly string[], logger: Logger) {
    this.#files = files;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    this.#check();
    this.#timer = setInterval(() => this.#check(), CHECK_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  #check(): void {
    for (const file of this.#files) {
      try {
        boundLog(file, MAX_BYTES);
      } catch (error) {
        this.#logger.warn({ file, err: String(error) }, 'the log cannot be shortened');
      }
    }
  }
}

/**
 * Moves the end of a log above `maxBytes` into `FILE.1`, and empties the log. It is not renamed, because its writers keep
 * it open, and Postgres goes on writing when `up` was killed; all of them append, and so continue at the new end. A line
 * that is written between both steps is lost.
 */
export function boundLog(file: string, maxBytes: number): void {
  const size = logSize(file);
  if (size <= maxBytes) return;
  const former = `${file}.1`;
  rmSync(former, { force: true });
  writeFileSync(former, readFrom(file, size - maxBytes), { mode: 0o600, flag: 'wx' });
  truncateSync(file);
}

/** In bytes; 0 if there is no such file. */
export const logSize = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

const MAX_TAIL_BYTES = 2 ** 16;

/** The last lines of a log, of those after the first `from` bytes that `isWanted`; none of a log that cannot be read. */
export function lastLines(
  file: string,
  count: number,
  { from = 0, isWanted = (line: string) => line.trim() !== '' } = {},
): string {
  try {
    const size = logSize(file);
    const start = Math.max(size - MAX_TAIL_BYTES, from > size ? 0 : from); // it may have been emptied since
    const lines = readFrom(file, start).toString().split('\n');
    return lines
      .filter((line) => line.trim() !== '' && isWanted(line))
      .slice(-count)
      .join('\n');
  } catch {
    return ''; // it would only explain another error
  }
}

function readFrom(file: string, start: number): Buffer {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(fd).size - start));
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, start));
  } finally {
    closeSync(fd);
  }
}
