import { pino } from 'pino';

export type Logger = Pick<import('pino').Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** Characters that are kept for a log which cannot be written; what comes then is lost. */
const MOST_UNWRITTEN = 2 ** 20;

/** One JSON line per event on stderr; `RAFIKI_LOG` sets the level (debug, info, warn, error, silent). */
export function createLogger(part: string, level = process.env['RAFIKI_LOG'] ?? 'info'): Logger {
  const destination = pino.destination({ dest: 2, sync: true, maxLength: MOST_UNWRITTEN });
  destination.on('error', () => undefined); // a full disk: what is said waits, and what is done goes on
  return pino({ name: `rafiki-${part}`, level, base: { pid: process.pid } }, destination);
}

export const silentLogger: Logger = pino({ level: 'silent' });
