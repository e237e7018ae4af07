import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * How a command is kept from the network, from other processes and from files, by tools of Linux that may be missing, or forbidden in a
 * container: a namespace of processes, in which it sees no other, and all ends with the first one, which is not the command itself;
 * a user namespace with a network of its own, in which the memory and the environment of other processes cannot be read
 * either; and Landlock, which opens only the files that are named. Sockets that are files can still be connected to: docs/security.md says so.
 */
interface FencePart {
  name: string;
  command(reads: readonly string[]): string[];
}

const PROBE_MS = 2_000;

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** This package's code, the packages that it uses, wherever npm has put them, and node. */
const ownCode = [
  ...['src', 'dist', 'node_modules', 'package.json', 'tsconfig.json'].map((name) => path.join(root, name)),
  ...(root.includes('/node_modules/') ? [root.slice(0, root.indexOf('/node_modules/') + '/node_modules'.length)] : []),
  path.dirname(process.execPath),
];
/** Libraries, what the machine has, and random numbers. */
const ofSystem = [
  ...[
    '/usr',
    '/lib',
    '/lib64',
    '/bin',
    '/etc/ssl',
    '/etc/ld.so.cache',
    '/proc',
    '/sys/devices/system',
    '/sys/fs/cgroup',
  ],
  ...['/dev/urandom', '/dev/null'],
];

const ruleOf = (file: string): string[] => [
  '--landlock-rule',
  `path-beneath:${statSync(file).isDirectory() ? 'execute,read-file,read-dir' : 'execute,read-file'}:${file}`,
];

const unshare = ['unshare', '--user', '--map-current-user'];

/**
 * The first process of a namespace stays in the group that is killed, and takes the namespace with it. The command has a session of its own, since signals to
 * a group go to other namespaces, too; and by the next part another user namespace, so that it cannot trace the first process.
 */
const FIRST = 'setsid "$@"; exit';

const parts: readonly FencePart[] = [
  {
    name: 'processes',
    command: () => [...unshare, '--pid', '--fork', '--kill-child', '--mount-proc', '--', '/bin/sh', '-c', FIRST, 'sh'],
  },
  { name: 'network', command: () => [...unshare, '--net', '--ipc', '--'] },
  {
    name: 'files',
    command: (reads) => [
      ...['setpriv', '--no-new-privs', '--landlock-access', 'fs'],
      ...[...ownCode, ...ofSystem, ...reads].filter((file) => existsSync(file)).flatMap(ruleOf),
      ...['--landlock-rule', 'path-beneath:write-file:/dev/null', '--'],
    ],
  },
];

let usable: Promise<readonly FencePart[]> | undefined;

/** The parts that work here, one behind the other; tried once, by running `true` behind them. */
function usableParts(): Promise<readonly FencePart[]> {
  usable ??= process.platform === 'linux' ? tried() : Promise.resolve([]);
  return usable;
}

async function tried(): Promise<readonly FencePart[]> {
  const found: FencePart[] = [];
  for (const part of parts) if (await works([...found, part].flatMap(({ command }) => command([])))) found.push(part);
  return found;
}

const works = ([file = '', ...args]: readonly string[]): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = spawn(file, [...args, 'true'], {
      stdio: 'ignore',
      timeout: PROBE_MS,
      killSignal: 'SIGKILL',
      env: {},
    });
    probe.once('error', () => resolve(false)).once('close', (code) => resolve(code === 0));
  });

/** What comes before a command to keep it behind the fence; empty where the system has none. */
export const fenceOf = async (reads: readonly string[]): Promise<string[]> =>
  (await usableParts()).flatMap((part) => part.command(reads));

/** What a process behind the fence is kept away from, and what it reaches: for a log, and for those who decide whether it is enough. */
export async function fenceParts(): Promise<{ away: string[]; reached: string[] }> {
  const found = await usableParts();
  const names = (some: readonly FencePart[]): string[] => some.map(({ name }) => name);
  return { away: names(found), reached: names(parts.filter((part) => !found.includes(part))) };
}
