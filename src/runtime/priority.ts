import { getPriority, setPriority } from 'node:os';

/** The kernel's least urgent one. */
const LEAST = 19;

/**
 * Sets the calling process back by so many steps of niceness, from wherever it was started; on Linux only the calling thread. Where
 * the system does not allow it, all goes on as before.
 */
export function yieldPriority(steps: number): void {
  try {
    setPriority(Math.min(getPriority() + steps, LEAST));
  } catch {
    // a priority is a favour to others, never worth to fail for
  }
}
