import { readFileSync } from 'node:fs';

/** Of Linux' figures for users, on every machine. */
const TICKS_PER_SECOND = 100;

/** Of a process that are counted: it may have started any number. */
const MAX_CHILDREN = 8;

/**
 * Milliseconds that all threads of a process have computed, and those of its children that are still there, since what has a namespace of processes is
 * a child of the command that made it. Undefined where the system does not say, or for a process that has ended.
 */
export function cpuMs(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
    return children.slice(0, MAX_CHILDREN).reduce((sum, child) => sum + ownMs(Number(child)), ownMs(pid));
  } catch {
    return undefined;
  }
}

function ownMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // after the name, which is in parentheses and may contain any: state, and from the 12th field on the times of user and system
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}
