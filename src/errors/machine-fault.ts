import { EnvironmentUnfit, OutOfMemory } from './errors.ts';

/**
 * Whether an error says that this machine cannot do what another one may: its disk is full, a folder, a setting or memory is
 * missing. It says nothing about a model or a trial, which other processes share.
 */
export const isMachineFault = (error: unknown): boolean =>
  error instanceof EnvironmentUnfit || error instanceof OutOfMemory || isSystemError(error);

/** As Node throws what the operating system refused; a connection that fails is the network's, or the other side's. */
function isSystemError(error: unknown): boolean {
  if (!(error instanceof Error && 'syscall' in error) || error.syscall === 'connect') return false;
  const { code = '' } = error as NodeJS.ErrnoException;
  return 'path' in error || ofMachine.has(code); // what is written through a descriptor says no path
}

const ofMachine = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM']);
