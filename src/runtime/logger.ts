import { pino } from 'pino';

export type Logger = Pick<import('pino').Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** One JSON line per event on stderr; `RAFIKI_LOG` sets the level (debug, info, warn, error, silent). */
export function createLogger(part: string, level = process.env['RAFIKI_LOG'] ?? 'info'): Logger {
  return pino({ name: `rafiki-${part}`, level, base: { pid: process.pid } }, pino.destination({ dest: 2, sync: true }));
}

export const silentLogger: Logger = pino({ level: 'silent' });
