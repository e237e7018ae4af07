import { getPriority, setPriority } from 'node:os';

/** The kernel's maximum. */
const MAX_NICENESS = 19;

/** Raises this process's niceness by `steps`, if the system allows it. */
export function yieldPriority(steps: number): void {
  try {
    setPriority(Math.min(getPriority() + steps, MAX_NICENESS));
  } catch {
    // A lower priority is optional: an error is ignored.
  }
}
