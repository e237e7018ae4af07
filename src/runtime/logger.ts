import { pino } from 'pino';

export type Logger = Pick<import('pino').Logger, 'level' | 'debug' | 'info' | 'warn' | 'error'>;

/** Characters that are buffered while the log cannot be written; further messages are lost. */
const MAX_UNWRITTEN = 2 ** 20;

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** One JSON line per event on stderr. */
export function createLogger(part: string, level: string = 'info'): Logger {
  const destination = pino.destination({ dest: 2, sync: true, maxLength: MAX_UNWRITTEN });
  destination.on('error', () => undefined); // on a full disk messages are buffered and the process continues
  return pino({ name: `rafiki-${part}`, level, base: { pid: process.pid } }, destination);
}

export const silentLogger: Logger = pino({ level: 'silent' });
