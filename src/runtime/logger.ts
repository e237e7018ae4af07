import { pino } from 'pino';

export type Logger = Pick<import('pino').Logger, 'level' | 'debug' | 'info' | 'warn' | 'error'>;

/** Characters that are kept for a log which cannot be written; what comes then is lost. */
const MAX_UNWRITTEN = 2 ** 20;

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** One JSON line per event on stderr. */
export function createLogger(part: string, level: string = 'info'): Logger {
  const destination = pino.destination({ dest: 2, sync: true, maxLength: MAX_UNWRITTEN });
  destination.on('error', () => undefined); // a full disk: what is said waits, and what is done goes on
  return pino({ name: `rafiki-${part}`, level, base: { pid: process.pid } }, destination);
}

export const silentLogger: Logger = pino({ level: 'silent' });
