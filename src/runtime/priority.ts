import { getPriority, setPriority } from 'node:os';

/** The kernel's least urgent one. */
const LEAST = 19;

/** Sets the calling process back by so many steps of niceness, from wherever it was started, if the system allows it. */
export function yieldPriority(steps: number): void {
  try {
    setPriority(Math.min(getPriority() + steps, LEAST));
  } catch {
    // a priority is a favour to others, never worth failing for
  }
}
