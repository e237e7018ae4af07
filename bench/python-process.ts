import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** A Python program that prints `ready` and then a line for each line of its input. */
export class PythonProcess {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #reader: Interface;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcessByStdio<Writable, Readable, null>) {
    this.#process = process;
    this.#reader = createInterface({ input: process.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** Null if Python, or a library that the program imports, is missing. */
  static async start(script: string, args: readonly string[] = []): Promise<PythonProcess | null> {
    // Debian's Python, which has Debian's libraries; another may come first on the path
    const child = spawn('/usr/bin/python3', [script, ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.on('error', () => undefined); // Python is missing: there is no first line
    const started = new PythonProcess(child);
    const { value } = await started.#lines.next();
    if (value === 'ready') return started;
    started.stop();
    return null;
  }

  async ask(line: string): Promise<string> {
    this.#process.stdin.write(`${line}\n`);
    const { value } = await this.#lines.next();
    return String(value);
  }

  stop(): void {
    this.#reader.close();
    this.#process.kill();
  }
}
