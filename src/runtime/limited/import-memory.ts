import { totalmem } from 'node:os';

const MOST = 2 * 2 ** 30;
/** Of the machine's memory, or the container's. */
const SHARE = 0.25;

/** Default memory of a process that checks or runs imported models, bytes. */
export function defaultImportMemory(): number {
  const limit = process.constrainedMemory(); // without a limit: 0, or more than the machine has
  const whole = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return Math.min(MOST, Math.floor(SHARE * whole));
}
