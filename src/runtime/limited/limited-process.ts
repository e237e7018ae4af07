import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { getPriority, setPriority } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cpuMs } from './cpu-time.ts';
import { fenceOf } from './fence.ts';

/** Found from here, not from where the process works. */
const tsx = (): string => pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/** A Node process with native libraries reserves 1.1 GB of addresses before it does anything. */
const BASE_ADDRESS_BYTES = 1.5 * 2 ** 30;
/** V8 reserves addresses of its own while it runs TypeScript. */
const SOURCE_ADDRESS_BYTES = 2 * 2 ** 30;
/** Of JavaScript's objects: files and tensors are outside. */
const HEAP_MB = 512;
/** How often its time is looked at. */
const WATCH_MS = 250;
/** An order that computes for a second may take as many seconds: others may have the cores. */
const PATIENCE = 5;
/** The kernel's maximum. */
const LOWEST = 19;
/** The last characters of what it writes to stderr. */
const KEPT_CHARS = 2_000;

/**
 * No core files, few descriptors, a limit of addresses, and no new files; what a system does not know is skipped. The limits cannot be
 * raised again. A guard in the process group waits for the end of a pipe, and so of the process that started this one, whatever ends that,
 * and then ends the group: a graph that runs does not see that it is not wanted any more.
 */
const LAUNCHER = `
( read -r _ <&4; kill -9 -$$ ) 3<&- </dev/null >/dev/null 2>&1 &
exec 4<&-
ulimit -c 0; ulimit -n 256; ulimit -v "$1" 2>/dev/null; [ "$2" = 0 ] || ulimit -f 0; shift 2; exec "$@"`;

export type ProcessEnd =
  /** It took longer than an order may. */
  | { kind: 'late'; ms: number }
  /** It ended by itself, or could not be started. */
  | { kind: 'died'; cause: string };

/** What an order is rejected with. */
export class ProcessEnded extends Error {
  readonly end: ProcessEnd;

  constructor(end: ProcessEnd) {
    super(end.kind === 'late' ? `it worked for ${end.ms} ms` : end.cause);
    this.name = 'ProcessEnded';
    this.end = end;
  }
}

export interface LimitedProcessOptions {
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
  onEnd(end: ProcessEnd): void;
}

interface PendingOrder {
  message: object;
  limitMs: number;
  resolve(reply: unknown): void;
  reject(error: ProcessEnded): void;
}

/**
 * A child process for code that is not trusted: with an empty environment, limits of memory, files and time, a lower priority, and no
 * open file or connection of this one. It executes its orders one after another, and answers each with one message. Where the system
 * allows it, it is behind a fence; see {@link fenceOf}. It leads a process group, which ends with it.
 */
export class LimitedProcess {
  readonly #child: ChildProcess;
  readonly #orders: PendingOrder[] = [];
  readonly #ended: Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #end: ProcessEnd | undefined;
  #stderr = '';

  static async start(options: LimitedProcessOptions): Promise<LimitedProcess> {
    return new LimitedProcess(options, await fenceOf(options.reads));
  }

  private constructor({ entry, memoryBytes, cwd = '/', nice, onEnd }: LimitedProcessOptions, fence: readonly string[]) {
    const isSource = entry.pathname.endsWith('.ts'); // runs through tsx, the build directly
    const addresses = memoryBytes + BASE_ADDRESS_BYTES + (isSource ? SOURCE_ADDRESS_BYTES : 0);
    // WebAssembly would reserve 10 GB of addresses to find accesses outside of its memory
    const options = [`--max-old-space-size=${HEAP_MB}`, '--disable-wasm-trap-handler'];
    const node = [process.execPath, ...options, ...(isSource ? ['--import', tsx()] : [])];
    const limited = ['/bin/sh', '-c', LAUNCHER, 'sh', String(Math.ceil(addresses / 1024)), isSource ? '0' : '1'];
    const [file = '', ...args] = [...fence, ...limited, ...node, fileURLToPath(entry)];
    const child = spawn(file, args, {
      serialization: 'advanced', // preserves typed arrays
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
      env: {},
      detached: true,
      cwd,
    });
    this.#child = child;
    child.unref();
    child.channel?.unref();
    const guard = child.stdio[4] as Socket | null | undefined;
    for (const pipe of [child.stderr as Socket | null, guard]) pipe?.unref();
    guard?.on('error', () => undefined); // its end is reported anyway
    child.stderr?.on('data', (text: Buffer) => {
      this.#stderr = (this.#stderr + text.toString('latin1')).slice(-KEPT_CHARS);
    });
    if (child.pid !== undefined) lower(child.pid, nice);
    child.on('message', (reply) => this.#settle(reply));
    this.#ended = new Promise((resolve) => {
      const ended = (cause: string): void => {
        this.#end ??= { kind: 'died', cause };
        clearInterval(this.#timer);
        for (const order of this.#orders.splice(0)) order.reject(new ProcessEnded(this.#end));
        resolve();
        onEnd(this.#end);
      };
      child.once('exit', () => killGroup(child)); // what it has started may hold its pipes open
      child.once('close', (code, signal) =>
        ended(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`),
      );
      child.once('error', (error) => {
        if (child.pid === undefined) ended(`it could not be started: ${error.message}`);
      });
    });
  }

  /** What it last wrote to stderr, for a log. */
  get stderr(): string {
    return this.#stderr;
  }

  /**
   * Its answer. Rejects with {@link ProcessEnded}: after `limitMs` of computing for the order, on all its threads, it is killed; also after
   * {@link PATIENCE} times as long if it waits.
   */
  order(message: object, limitMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(new ProcessEnded(this.#end));
      this.#orders.push({ message, limitMs, resolve, reject });
      if (this.#orders.length === 1) this.#send();
    });
  }

  /** Resolves when the process has ended. */
  async kill(): Promise<void> {
    killGroup(this.#child);
    await this.#ended;
  }

  #send(): void {
    const [order] = this.#orders;
    if (order === undefined) {
      this.#child.unref();
      this.#child.channel?.unref();
      return;
    }
    this.#child.ref(); // otherwise this process could exit before the reply
    this.#child.channel?.ref();
    this.#watch(order.limitMs);
    if (this.#child.connected) this.#child.send(order.message, () => undefined); // its end is reported anyway
  }

  #watch(limitMs: number): void {
    const { pid = 0 } = this.#child;
    const [startedMs, computedMs] = [performance.now(), cpuMs(pid)];
    this.#timer = setInterval(() => {
      const waitedMs = performance.now() - startedMs;
      const ownMs = computedMs === undefined ? waitedMs : (cpuMs(pid) ?? waitedMs) - computedMs;
      if (ownMs < limitMs && waitedMs < PATIENCE * limitMs) return;
      clearInterval(this.#timer);
      this.#end ??= { kind: 'late', ms: limitMs };
      killGroup(this.#child);
    }, WATCH_MS);
  }

  #settle(reply: unknown): void {
    clearInterval(this.#timer);
    this.#orders.shift()?.resolve(reply);
    this.#send();
  }
}

/** The process, with all that it has started, unless that has left its group. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // all have ended
  }
}

function lower(pid: number, nice: number): void {
  try {
    setPriority(pid, Math.min(getPriority() + nice, LOWEST));
  } catch {
    // it has just ended, or the system does not allow it
  }
}
