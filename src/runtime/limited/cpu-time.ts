import { readFileSync } from 'node:fs';

/** Of Linux' figures for users, on every machine. */
const TICKS_PER_SECOND = 100;

/** Milliseconds that all threads of a process have computed; undefined where the system does not say, or for a process that has ended. */
export function cpuMs(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // after the name, which is in parentheses and may contain any: state, and from the 12th field on the times of user and system
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}
