import { randomUUID } from 'node:crypto';
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LimitReached } from '../errors/errors.ts';

export interface LockTimes {
  /** The holder touches the file so often. */
  renewMs: number;
  /** Not touched for so long, by the clock of whoever waits: the holder is dead. */
  staleMs: number;
  /** Nobody waits longer. */
  waitMs: number;
}

const DEFAULT_TIMES: LockTimes = { renewMs: 2_000, staleMs: 20_000, waitMs: 3600_000 };
const POLL_MS = 100;

/**
 * Does `work` while no other process of this machine does, as long as all go well: where two find a dead holder in one
 * moment, or a holder stops for a while, both work. So it saves work, and what it guards must bear being done twice.
 */
export async function withFileLock<T>(
  file: string,
  signal: AbortSignal,
  work: () => Promise<T>,
  times: LockTimes = DEFAULT_TIMES,
): Promise<T> {
  const mark = randomUUID();
  await acquire(file, mark, { signal, ...times });
  const renewing = setInterval(() => void touch(file), times.renewMs);
  try {
    return await work();
  } finally {
    clearInterval(renewing);
    if ((await readFile(file, 'utf8').catch(() => '')) === mark) await rm(file, { force: true });
  }
}

async function acquire(
  file: string,
  mark: string,
  { signal, staleMs, waitMs }: LockTimes & { signal: AbortSignal },
): Promise<void> {
  const beganMs = performance.now();
  let [seen, seenMs] = [Number.NaN, beganMs];
  signal.throwIfAborted();
  while (!(await create(file, mark))) {
    const nowMs = performance.now();
    if (nowMs - beganMs > waitMs) throw waitedTooLong(file);
    const touched = (await stat(file).catch(() => undefined))?.mtimeMs;
    if (touched !== seen) [seen, seenMs] = [touched ?? Number.NaN, nowMs];
    else if (nowMs - seenMs > staleMs) await rm(file, { force: true });
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** Whether a holder has touched the file lately, by the clock of this machine: whoever acts on it must bear that it is wrong. */
export async function isFresh(file: string): Promise<boolean> {
  const touchedMs = (await stat(file).catch(() => undefined))?.mtimeMs;
  return touchedMs !== undefined && Date.now() - touchedMs < DEFAULT_TIMES.staleMs;
}

async function create(file: string, mark: string): Promise<boolean> {
  try {
    await writeFile(file, mark, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Taken away by somebody who thought this process dead: the work goes on, see above. */
async function touch(file: string): Promise<void> {
  const now = new Date();
  await utimes(file, now, now).catch(() => undefined);
}

const waitedTooLong = (file: string): LimitReached =>
  new LimitReached('another process of this machine takes too long', {
    detail: `It holds ${file}.`,
    hint: 'Look at what it does, or end it.',
  });
