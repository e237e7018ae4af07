import { reportError } from '../../errors/rafiki-error.ts';
import { backoffMs } from '../../runtime/backoff.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createRng } from '../../runtime/rng.ts';
import type { Service } from '../../runtime/service.ts';
import { sleep } from '../../runtime/sleep.ts';

/** The first pauses are short: the orphaned backends of a crashed server need a moment to exit. */
const PAUSE = { firstMs: 500, maxMs: 30_000 };

interface StartAgainOptions {
  signal: AbortSignal;
  logger: Logger;
  pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Starts PostgreSQL after a crash, and tries for ever, until `signal` aborts: a full disk may be freed after hours. */
export async function startAgain(
  postgres: Pick<Service, 'start'>,
  { signal, logger, pause = sleep }: StartAgainOptions,
): Promise<void> {
  const rng = createRng(process.pid);
  for (let tries = 1; !signal.aborted; tries++) {
    try {
      await postgres.start();
      logger.warn({ tries }, 'PostgreSQL ended and was restarted');
      return;
    } catch (error) {
      if (signal.aborted) return;
      const retryMs = Math.round(backoffMs(tries - 1, PAUSE, rng));
      logger.warn({ tries, retryMs, err: reportError(error) }, 'PostgreSQL ended and does not start');
      await pause(retryMs, signal);
    }
  }
}
