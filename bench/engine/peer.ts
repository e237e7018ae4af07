import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export const howToGetPeer = 'no PyTorch on this machine: apt-get install python3-torch libopenblas0-openmp';

const script = fileURLToPath(new URL('./peer.py', import.meta.url));

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** PyTorch in a process of its own, one request at a time. */
export class Peer {
  readonly #process: Child;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  private constructor(process: Child) {
    this.#process = process;
    this.#reader = createInterface({ input: process.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** Null where Python has no torch. */
  static async start(threads: number): Promise<Peer | null> {
    const child = spawn('/usr/bin/python3', [script, String(threads)], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.on('error', () => undefined); // no Python at all: the first line then never comes
    const peer = new Peer(child);
    const { value } = await peer.#lines.next();
    if (value === 'ready') return peer;
    peer.stop();
    return null;
  }

  /** Milliseconds of each of `steps` steps of the named job. */
  async steps(job: string, steps: number): Promise<number[]> {
    this.#process.stdin.write(`${job} ${steps}\n`);
    const { value } = await this.#lines.next();
    return JSON.parse(String(value)) as number[];
  }

  /** The most memory that the process has held so far, in MB. */
  async peakMb(): Promise<number> {
    this.#process.stdin.write('peak 0\n');
    const { value } = await this.#lines.next();
    return Number(value);
  }

  stop(): void {
    this.#reader.close();
    this.#process.kill();
  }
}
