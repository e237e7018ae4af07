import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Objective } from './bbob/functions.ts';
import type { Budget, Regrets } from './study.ts';

export const howToGetPeer = 'no Optuna on this machine: apt-get install python3-optuna';

const script = fileURLToPath(new URL('./peer.py', import.meta.url));

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** Optuna's TPE with its default settings, in a process of its own, one study at a time. */
export class Peer {
  readonly #process: Child;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  private constructor(process: Child) {
    this.#process = process;
    this.#reader = createInterface({ input: process.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** Null where Python has no optuna. */
  static async start(): Promise<Peer | null> {
    const child = spawn('/usr/bin/python3', [script], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.on('error', () => undefined); // no Python at all: the first line then never comes
    const peer = new Peer(child);
    const { value } = await peer.#lines.next();
    if (value === 'ready') return peer;
    peer.stop();
    return null;
  }

  async runStudy({ optimum, value }: Objective, { evaluations, seed }: Budget): Promise<Regrets> {
    const regrets: number[] = [];
    let point = await this.#ask(`new ${seed} ${optimum.length}`);
    while (regrets.length < evaluations) {
      const regret = value(point);
      regrets.push(Math.min(regret, regrets.at(-1) ?? Number.POSITIVE_INFINITY));
      point = await this.#ask(`tell ${regret}`);
    }
    return regrets;
  }

  async #ask(line: string): Promise<number[]> {
    this.#process.stdin.write(`${line}\n`);
    const { value } = await this.#lines.next();
    return JSON.parse(String(value)) as number[];
  }

  stop(): void {
    this.#reader.close();
    this.#process.kill();
  }
}
