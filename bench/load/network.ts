import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import path from 'node:path';

const NETWORK = '10.77.61';
const BRIDGE = 'rafiki-bench';
const entry = path.resolve(import.meta.dirname, '../../dist/cli/main.js');

const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

/** Why this machine cannot have networks of its own; null if it can. */
export function noNetworks(): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  return existsSync('/usr/sbin/ip') || existsSync('/sbin/ip') ? null : 'no "ip" here: apt-get install iproute2';
}

/** A machine: a network namespace with an address of its own, and the processes that run in it. */
export class NetworkMachine {
  readonly #name: string;
  /** The end of its cable at the switch. */
  readonly #outside: string;
  readonly #processes = new Set<ChildProcess>();

  /** Names of interfaces have 15 characters at most, so they come from the last number of the address. */
  constructor(name: string, number: number) {
    const [address, inside, outside] = [`${NETWORK}.${number}`, `rfk${number}-in`, `rfk${number}-out`];
    this.#name = name;
    this.#outside = outside;
    ip('netns', 'add', name);
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', name);
    ip('link', 'set', outside, 'master', BRIDGE, 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', inside);
    ip('-n', name, 'link', 'set', inside, 'up');
  }

  /** Its cable is pulled: packets are lost without a word in both directions. */
  cut(): void {
    ip('link', 'set', this.#outside, 'down');
  }

  rejoin(): void {
    ip('link', 'set', this.#outside, 'up');
  }

  /** Runs a command of ours there; its output goes to a file. */
  start(args: readonly string[], { log, env = {} }: { log: string; env?: NodeJS.ProcessEnv }): ChildProcess {
    const command = ['netns', 'exec', this.#name, process.execPath, entry, ...args];
    const child = spawn('ip', command, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const file = createWriteStream(log, { flags: 'a' });
    child.stdout.pipe(file, { end: false });
    child.stderr.pipe(file, { end: false });
    this.#processes.add(child);
    child.once('exit', () => this.#processes.delete(child));
    return child;
  }

  async remove(): Promise<void> {
    await Promise.all([...this.#processes].map((child) => ended(child)));
    ip('netns', 'delete', this.#name);
  }
}

/** Stops a process in order. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

/** A network of machines on one switch; this process is on it, too. Removed by `remove()`. */
export class MachineNetwork {
  /** Of this process. */
  readonly address = `${NETWORK}.1`;
  readonly range = `${NETWORK}.0/24`;
  readonly #machines: NetworkMachine[] = [];

  constructor() {
    ip('link', 'add', BRIDGE, 'type', 'bridge');
    ip('addr', 'add', `${this.address}/24`, 'dev', BRIDGE);
    ip('link', 'set', BRIDGE, 'up');
  }

  add(name: string): NetworkMachine {
    const machine = new NetworkMachine(`rfk-${name}`, this.#machines.length + 2);
    this.#machines.push(machine);
    return machine;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine.remove()));
    ip('link', 'delete', BRIDGE);
  }
}
