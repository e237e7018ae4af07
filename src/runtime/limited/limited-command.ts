import { getPriority, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { fenceOf } from './fence.ts';

/** Source files run through tsx, the build directly. */
const isSource = import.meta.url.endsWith('.ts');

/** A Node process with native libraries reserves 1.1 GB of addresses before it does anything. */
const BASE_ADDRESS_BYTES = 1.5 * 2 ** 30;
/** V8 reserves addresses of its own while it runs TypeScript. */
const SOURCE_ADDRESS_BYTES = 2 * 2 ** 30;
/** The kernel's maximum. */
const LOWEST = 19;

/**
 * No core files, few descriptors, a limit of addresses, and no new files; what a system does not know is skipped. The limits cannot be
 * raised again.
 */
const LIMITS = `ulimit -c 0; ulimit -n 256; ulimit -v "$1" 2>/dev/null; [ "$2" = 0 ] || ulimit -f 0; shift 2; exec "$@"`;

export interface LimitedCommandOptions {
  /** The file that it runs: `.ts` in the source tree, `.js` in the build. */
  entry: URL;
  /** Memory beyond what any Node process takes, bytes. */
  memoryBytes: number;
  /** Of JavaScript's objects: files and tensors are outside. */
  heapMb: number;
  /** Folders that it may read besides its own code, if the system can limit that. */
  reads: readonly string[];
}

/** What `spawn` takes. */
export interface LimitedCommand {
  file: string;
  args: string[];
  options: { env: Record<string, string>; cwd?: string };
}

/**
 * Runs a file by Node with an empty environment, and limits of memory and files. Where the system allows it, it has no network, and sees
 * neither other processes nor files; see {@link fenceOf}.
 */
export function limitedCommand({ entry, memoryBytes, heapMb, reads }: LimitedCommandOptions): LimitedCommand {
  const addresses = memoryBytes + BASE_ADDRESS_BYTES + (isSource ? SOURCE_ADDRESS_BYTES : 0);
  // WebAssembly would reserve 10 GB of addresses to find accesses outside of its memory
  const options = [`--max-old-space-size=${heapMb}`, '--disable-wasm-trap-handler'];
  const node = [process.execPath, ...options, ...(isSource ? ['--import', 'tsx'] : [])];
  const limited = ['/bin/sh', '-c', LIMITS, 'sh', String(Math.ceil(addresses / 1024)), isSource ? '0' : '1'];
  const [file = '', ...args] = [...fenceOf(reads), ...limited, ...node, fileURLToPath(entry)];
  return { file, args, options: { env: {}, ...(isSource ? {} : { cwd: '/' }) } };
}

/** Lowers the priority of a process below that of this one. */
export function lowerPriority(pid: number | undefined, nice: number): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, Math.min(getPriority() + nice, LOWEST));
  } catch {
    // it has just ended, or the system does not allow it
  }
}
