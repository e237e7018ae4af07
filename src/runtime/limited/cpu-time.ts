import { readFileSync } from 'node:fs';

/** Of Linux' figures for users, on every machine. */
const TICKS_PER_SECOND = 100;

/** Of a process that are counted: it may have started any number. */
const MAX_CHILDREN = 8;
/** Behind a fence there are two processes before the one that computes. */
const GENERATIONS = 2;

/**
 * Milliseconds that all threads of a process have computed, and those of its children and theirs that are still there. Undefined where the system does
 * not say, or for a process that has ended.
 */
export function cpuMs(pid: number, generations = GENERATIONS): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // after the name, which is in parentheses and may contain any: state, and from the 12th field on the times of user and system
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ownMs = ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
    const children = generations === 0 ? [] : childrenOf(pid).slice(0, MAX_CHILDREN);
    return children.reduce((sum, child) => sum + (cpuMs(child, generations - 1) ?? 0), ownMs);
  } catch {
    return undefined;
  }
}

/** None on a kernel that does not list them. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
