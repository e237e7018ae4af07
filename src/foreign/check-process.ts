import path from 'node:path';
import type { Task } from '../domain/task.ts';
import { reportedError } from '../errors/reported.ts';
import { LimitedProcess } from '../runtime/limited/limited-process.ts';
import { checkedFound } from './checked-found.ts';
import type { CheckedImport, CheckReport } from './messages.ts';
import { endError } from './process-end.ts';

const isSource = import.meta.url.endsWith('.ts');
const entry = new URL(isSource ? './check-child.ts' : './check-child.js', import.meta.url);

/** A graph that takes longer to load and to run on a few rows would be of no use in a query. */
const CHECK_MS = 120_000;
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
}: CheckOptions): Promise<CheckedImport> {
  const child = await LimitedProcess.start({
    entry,
    memoryBytes,
    reads: [path.dirname(file), emptyDir],
    cwd: emptyDir,
    nice: NICE,
    onEnd: () => undefined,
  });
  const stop = (): void => void child.kill();
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    const report = (await child.order({ file, task, spec }, limitMs)) as CheckReport;
    if (report.ok) return checkedFound(report.found, task);
    throw reportedError(report.error);
  } catch (error) {
    throw endError(error);
  } finally {
    signal.removeEventListener('abort', stop);
    await child.kill();
  }
}
