import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MAX_IMPORT_BYTES, MAX_SPEC_BYTES } from '../domain/import-limits.ts';
import type { Task } from '../domain/task.ts';
import type { ErrorReport } from '../errors/rafiki-error.ts';
import { readReport, reportedError } from '../errors/reported.ts';
import { ownFile } from '../runtime/disk/own-file.ts';
import { LimitedProcess } from '../runtime/limited/limited-process.ts';
import { checkedFound } from './checked-found.ts';
import type { CheckedImport } from './messages.ts';
import { endError } from './process-end.ts';

const checkChild = ownFile(import.meta.url, './check-child');

/** A graph that takes longer to load and to run on a few rows would be of no use in a query. */
const CHECK_MS = 120_000;
/** What a file becomes is as large as the file, with what `spec` says, and once more for JSON. */
const MAX_FOUND_BYTES = 2 * MAX_IMPORT_BYTES + MAX_SPEC_BYTES;
/** A vocabulary of a million words has some tens of megabytes; each of 1600 columns has a few arrays, in each of 16 members. */
const FOUND_EXTENT = { jsonBytes: 64 * 2 ** 20, parts: 2 ** 16 };
/** Nobody waits for a query. */
const NICE = 10;

export interface CheckOptions {
  file: string;
  /** A private folder with nothing in it, where it is checked: a graph may name files. */
  emptyDir: string;
  task: Task;
  /** JSON of an object. */
  spec: string;
  memoryBytes: number;
  signal: AbortSignal;
  limitMs?: number;
  /** Override of {@link checkChild}. */
  entry?: URL;
}

/** Checks a file in a process of its own, whose word is not taken. Throws what is wrong with the file, or with what it did to the process. */
export async function checkInProcess({
  file,
  emptyDir,
  task,
  spec,
  memoryBytes,
  signal,
  limitMs = CHECK_MS,
  entry = checkChild,
}: CheckOptions): Promise<CheckedImport> {
  const child = await LimitedProcess.start({
    entry,
    memoryBytes,
    reads: [path.dirname(fileURLToPath(entry)), path.dirname(file), emptyDir],
    cwd: emptyDir,
    nice: NICE,
    onEnd: () => undefined,
  });
  const stop = (): void => void child.kill();
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    const report = await child.order(
      { file, task, spec },
      { limitMs, maxBytes: MAX_FOUND_BYTES, ...FOUND_EXTENT, read: readCheck },
    );
    if (report.error !== undefined) throw reportedError(report.error);
    return checkedFound(report.found, task);
  } catch (error) {
    throw endError(error);
  } finally {
    signal.removeEventListener('abort', stop);
    await child.kill();
  }
}

/** What it has found is checked by {@link checkedFound}: a file that is no model's is no fault of the process. Throws for what is no report. */
function readCheck(answer: unknown): { found?: unknown; error?: ErrorReport } {
  const given: { ok?: unknown; found?: unknown; error?: unknown } = Object(answer);
  if (given.ok === true) return { found: given.found };
  const error = readReport(given.error);
  if (error === undefined) throw new TypeError('it answered with something else than what it had found');
  return { error };
}
