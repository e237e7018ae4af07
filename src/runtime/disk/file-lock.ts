import { randomUUID } from 'node:crypto';
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LimitReached } from '../../errors/errors.ts';

export interface LockTimes {
  /** Interval at which the holder touches the file. */
  renewMs: number;
  /** After this time without a touch, by the clock of the waiting process, the holder counts as dead. */
  staleMs: number;
  /** Maximum wait. */
  waitMs: number;
}

const DEFAULT_TIMES: LockTimes = { renewMs: 2_000, staleMs: 20_000, waitMs: 3600_000 };
const POLL_MS = 100;

/**
 * Runs `work` while no other process of this machine does, normally. Two processes can run it concurrently if they
 * detect a dead holder at the same moment, or if a holder is suspended for a while. So the lock only avoids duplicate
 * work, which must be harmless. Throws {@link LimitReached} after waitMs.
 */
export async function withFileLock<T>(
  file: string,
  signal: AbortSignal,
  work: () => Promise<T>,
  given: Partial<LockTimes> = {},
): Promise<T> {
  const mark = randomUUID();
  const times = { ...DEFAULT_TIMES, ...given };
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

/** Whether a holder has touched the file recently, by this machine's clock: a wrong result must be harmless. */
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

/** Does nothing if another process has removed the lock as stale: the work continues, see above. */
async function touch(file: string): Promise<void> {
  const now = new Date();
  await utimes(file, now, now).catch(() => undefined);
}

const waitedTooLong = (file: string): LimitReached =>
  new LimitReached('another process on this machine takes too long', {
    detail: `It holds ${file}.`,
    hint: 'Check that process, or end it.',
  });
