import { fork, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { OrderChannel } from '../../../src/runtime/frames/order-channel.ts';
import { anyExtent } from '../../../src/runtime/frames/packed-message.ts';
import { fenceParts } from '../../../src/runtime/limited/fence.ts';
import { LimitedProcess, type OrderLimits, ProcessEnded } from '../../../src/runtime/limited/limited-process.ts';

const entry = new URL('./limited-child.ts', import.meta.url);
const limited = (reads: readonly string[] = [], cwd?: string): Promise<LimitedProcess> =>
  LimitedProcess.start({
    entry,
    memoryBytes: 2 ** 30,
    reads: [path.dirname(fileURLToPath(entry)), ...reads],
    nice: 1,
    ...(cwd === undefined ? {} : { cwd }),
    onEnd: () => undefined,
  });

/** It is the test that looks at an answer. */
const within = (limitMs: number): OrderLimits<unknown> => ({
  ...{ limitMs, maxBytes: 2 ** 16, ...anyExtent },
  read: (answer) => answer,
});

/** What the tools of this system can do, without asking the code that uses them. */
const can = (...[file = '', ...args]: string[]): boolean =>
  process.platform === 'linux' && spawnSync(file, [...args, 'true'], { stdio: 'ignore' }).status === 0;
const unshare = ['unshare', '--user', '--map-current-user'];
const ofNetwork = [...unshare, '--net', '--ipc', '--'];
const ofProcesses = [...unshare, '--pid', '--fork', '--kill-child', '--mount-proc', '--'];
const processes = can(...ofProcesses);
const network = can(...(processes ? ofProcesses : []), ...ofNetwork);
const files = can(
  'setpriv',
  '--no-new-privs',
  '--landlock-access',
  'fs',
  '--landlock-rule',
  'path-beneath:execute,read-file,read-dir:/',
  '--',
);

interface Stage {
  look: { kind: 'look'; file: string; port: number; starter: { pid: number; command: string } };
  dir: string;
  close(): void;
}

async function stage(): Promise<Stage> {
  const dir = mkdtempSync(path.join(homedir(), '.rafiki-test-'));
  const file = path.join(dir, 'secret');
  writeFileSync(file, 'secret', { mode: 0o600 });
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const close = (): void => {
    server.close();
    rmSync(dir, { recursive: true });
  };
  const command = process.platform === 'linux' ? readFileSync('/proc/self/cmdline', 'utf8') : '';
  return { look: { kind: 'look', file, port, starter: { pid: process.pid, command } }, dir, close };
}

test('a process like any other reaches files, network and parent, so that the next test can fail', async () => {
  const { look, close } = await stage();
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(entry)], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const pipe = child.stdio[3] as Duplex;
  try {
    const found = await new Promise((resolve, reject) => {
      new OrderChannel(pipe, { onAnswer: resolve, onFault: reject }).send(look, within(0));
    });
    expect(found).toMatchObject({
      seesStarter: process.platform === 'linux',
      readsFile: true,
      readsParent: true,
      connects: true,
    });
    expect((found as { environment: string[] }).environment).toContain('PATH');
  } finally {
    child.kill();
    close();
  }
});

test('it has no environment, and reaches neither files nor the network nor other processes, where the system can see to that', async () => {
  const parts = Object.entries({ processes, network, files });
  const names = (isThere: boolean): string[] => parts.filter(([, each]) => each === isThere).map(([name]) => name);
  expect(await fenceParts()).toEqual({ away: names(true), reached: names(false) });
  const { look, dir, close } = await stage();
  const child = await limited();
  const reader = await limited([dir]);
  try {
    expect(await child.order(look, within(60_000))).toEqual({
      environment: [],
      readsFile: !files,
      readsParent: !network && !processes,
      seesStarter: !processes,
      connects: !network,
    });
    expect(await reader.order(look, within(60_000))).toMatchObject({ readsFile: true }); // it was opened to this one
  } finally {
    await Promise.all([child.kill(), reader.kill()]);
    close();
  }
});

test('large orders and answers arrive whole', async () => {
  const child = await limited();
  const bytes = Uint8Array.from({ length: 2 ** 25 }, (_, i) => i * 7);
  const load = { bytes, numbers: [Float32Array.of(1.5, Number.NaN), 'é'.repeat(2 ** 22)], none: [] };
  try {
    const answer = await child.order({ kind: 'echo', load }, { ...within(60_000), maxBytes: 2 ** 27 });
    expect(Buffer.from((answer as typeof load).bytes).equals(bytes)).toBe(true);
    expect({ ...(answer as object), bytes: 0 }).toEqual({ ...load, bytes: 0 });
  } finally {
    await child.kill();
  }
});

test('it works in the folder that it is given, where names of files lead to nothing', async () => {
  const dir = mkdtempSync(path.join(homedir(), '.rafiki-test-'));
  const child = await limited([dir], dir);
  try {
    expect(await child.order({ kind: 'where' }, within(60_000))).toEqual([dir, false]);
  } finally {
    await child.kill();
    rmSync(dir, { recursive: true });
  }
});

test('it is ended where an order takes too long, or too much memory', async () => {
  const late = await limited();
  const end = { kind: 'late', ms: 3_000 };
  await expect(late.order({ kind: 'spin' }, within(3_000))).rejects.toEqual(
    new ProcessEnded({ kind: 'late', ms: 3_000 }),
  );
  await expect(late.order({ kind: 'look' }, within(3_000))).rejects.toMatchObject({ end });
  const large = await limited();
  await expect(large.order({ kind: 'allocate' }, within(60_000))).rejects.toMatchObject({ end: { kind: 'died' } });
});

const statOf = (pid: string): { parent: number; state: string } | undefined => {
  try {
    const [state = '', parent] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    return { state, parent: Number(parent) };
  } catch {
    return undefined; // it has just ended
  }
};

/** What a process has started, and what that has started. */
function startedBy(pid: number): number[] {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const own = processes.filter((name) => statOf(name)?.parent === pid).map(Number);
  return own.flatMap((child) => [child, ...startedBy(child)]);
}

const areAlive = (pids: readonly number[]): boolean => pids.some((pid) => (statOf(String(pid))?.state ?? 'Z') !== 'Z');

describe.runIf(process.platform === 'linux')('what it has started', () => {
  test('ends with it, also what has left its group if it has a namespace of processes', async () => {
    const before = startedBy(process.pid);
    const child = await limited();
    await child.order({ kind: 'start', signals: processes }, within(60_000));
    const started = startedBy(process.pid).filter((pid) => !before.includes(pid));
    const sleeping = started.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('/bin/sleep'));
    expect(sleeping).toHaveLength(2);
    await child.kill();
    const [inGroup = 0] = sleeping;
    await expect.poll(() => areAlive(processes ? started : [inGroup]), { timeout: 5_000 }).toBe(false);
    if (!processes) process.kill(sleeping[1] as number);
  });

  test('ends with the process that started it, however that ends', async () => {
    const parent = fork(fileURLToPath(new URL('./limited-parent.ts', import.meta.url)), {
      execArgv: ['--import', 'tsx'],
    });
    await new Promise((resolve) => parent.once('message', resolve));
    const started = startedBy(parent.pid as number);
    const computing = started.filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(process.execPath),
    );
    expect(computing).not.toHaveLength(0);
    parent.kill('SIGKILL');
    await expect.poll(() => areAlive(processes ? started : computing), { timeout: 5_000 }).toBe(false);
  });
});
