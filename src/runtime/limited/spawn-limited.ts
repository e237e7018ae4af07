import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isSource } from '../disk/own-file.ts';
import { fenceOf } from './fence.ts';

/** Found from here, not from where the process works. */
const tsx = (): string => pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/** A Node process with native libraries reserves 1.1 GB of addresses before it does anything. */
const BASE_ADDRESS_BYTES = 1.5 * 2 ** 30;
/** V8 reserves addresses of its own while it runs TypeScript. */
const SOURCE_ADDRESS_BYTES = 2 * 2 ** 30;
/** Of JavaScript's objects: files and tensors are outside. */
const HEAP_MB = 512;

/**
 * No core files, few descriptors, a limit of addresses, and no new files; what a system does not know is skipped. The limits cannot be
 * raised again. A guard in the process group waits for the end of a pipe, and so of the process that started this one, whatever ends that,
 * and then ends the group: a graph that runs does not see that it is not wanted any more. The guard stands before the fence, behind which it could
 * not end the first process.
 */
const LAUNCHER = `
( read -r _ <&4; kill -9 -$$ ) 3<&- </dev/null >/dev/null 2>&1 &
exec 4<&-
ulimit -c 0; ulimit -n 256; ulimit -v "$1" 2>/dev/null; [ "$2" = 0 ] || ulimit -f 0; n=$3; shift 3; exec nice -n "$n" "$@"`;

export interface SpawnLimits {
  /** The file that it runs: `.ts` in the source tree, `.js` in the build. */
  entry: URL;
  /** Memory beyond what any Node process takes, bytes. */
  memoryBytes: number;
  /** Folders that it may read besides its own code, if the system can limit that. */
  reads: readonly string[];
  /** An empty folder where it works, if what it runs may name files; default: the root. */
  cwd?: string;
  /** How far its priority is below that of this process. */
  nice: number;
}

/** A process with limits, and its pipes: they are undefined if it could not be started. None of them keeps this process running. */
export interface SpawnedProcess {
  child: ChildProcess;
  stderr: Readable | undefined;
  /** For orders and answers: descriptor 3 there. */
  orders: Socket | undefined;
}

export async function spawnLimited({
  entry,
  memoryBytes,
  reads,
  cwd = '/',
  nice,
}: SpawnLimits): Promise<SpawnedProcess> {
  const needsTsx = isSource(entry);
  const addresses = memoryBytes + BASE_ADDRESS_BYTES + (needsTsx ? SOURCE_ADDRESS_BYTES : 0);
  // WebAssembly would reserve 10 GB of addresses to find accesses outside of its memory
  const options = [`--max-old-space-size=${HEAP_MB}`, '--disable-wasm-trap-handler'];
  const node = [process.execPath, ...options, ...(needsTsx ? ['--import', tsx()] : [])];
  const kilobytes = String(Math.ceil(addresses / 1024));
  const limited = ['/bin/sh', '-c', LAUNCHER, 'sh', kilobytes, needsTsx ? '0' : '1', String(nice)];
  const [file = '', ...args] = [...limited, ...(await fenceOf(reads)), ...node, fileURLToPath(entry)];
  const child = spawn(file, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    env: {},
    detached: true,
    cwd,
  });
  child.on('error', () => undefined); // who watches its end gets it, too
  // without descriptors left there are no pipes
  const [, , stderr, orders, guard] = (child.stdio ?? []) as unknown as (Socket | null | undefined)[];
  child.unref();
  for (const pipe of [stderr, orders, guard]) {
    pipe?.unref();
    pipe?.on('error', () => undefined); // its end is reported anyway
  }
  return { child, stderr: stderr ?? undefined, orders: orders ?? undefined };
}

/** The process, with all that it has started; without a namespace of processes, unless that has left its group. */
export function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // all have ended
  }
}
