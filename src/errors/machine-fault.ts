import { EnvironmentUnfit, OutOfMemory } from './errors.ts';

/**
 * Whether an error is caused by this machine (its disk, folders, settings or memory), so that another one may succeed.
 * It does not concern the model or trial, which other processes share.
 */
export const isMachineFault = (error: unknown): boolean =>
  error instanceof EnvironmentUnfit || error instanceof OutOfMemory || isSystemError(error);

/**
 * The same for a process that runs what a trial's knobs have made: a graph that cannot be loaded, or has too little memory, may be their fault.
 * A file that cannot be written or read is not, nor a native library.
 */
export const isDiskFault = (error: unknown): boolean =>
  isSystemError(error) || isBrokenLibrary(error) || (error instanceof EnvironmentUnfit && isDiskFault(error.cause));

const isBrokenLibrary = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_DLOPEN_FAILED';

/**
 * An error of the operating system as thrown by Node, except for connection errors, which concern the network or the
 * other side.
 */
function isSystemError(error: unknown): boolean {
  if (!(error instanceof Error && 'syscall' in error) || error.syscall === 'connect') return false;
  const { code = '' } = error as NodeJS.ErrnoException;
  return 'path' in error || ofMachine.has(code); // errors of writing through a descriptor have no path
}

const ofMachine = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM']);
