// For limited-process.test.ts: says what it can reach.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { OrderPipe } from '../../../src/runtime/frames/order-pipe.ts';

interface Probe {
  file: string;
  port: number;
  /** The process that starts this one. */
  starter: { pid: number; command: string };
  kind: 'look' | 'spin' | 'allocate' | 'start' | 'where' | 'echo';
  load?: unknown;
  signals?: boolean;
}

const reads = (file: string): boolean => {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
};

const connects = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
  });

async function answer({ kind, file, port, starter, load, signals }: Probe): Promise<void> {
  if (kind === 'spin') for (;;);
  if (kind === 'echo') return void pipe.answer(load);
  if (kind === 'where') return void pipe.answer([process.cwd(), reads('package.json')]);
  if (kind === 'start') {
    if (signals) process.on('SIGTERM', () => undefined).kill(0, 'SIGTERM'); // all of its group
    for (const detached of [false, true]) spawn('/bin/sleep', ['600'], { stdio: 'ignore', detached });
    return void pipe.answer(null);
  }
  if (kind === 'allocate') {
    const kept: Buffer[] = [];
    for (let i = 0; i < 100; i++) kept.push(Buffer.alloc(2 ** 28, 1));
  }
  pipe.answer({
    environment: Object.keys(process.env).filter((name) => name !== 'PWD'),
    readsFile: reads(file),
    seesStarter:
      reads(`/proc/${starter.pid}/cmdline`) && readFileSync(`/proc/${starter.pid}/cmdline`, 'utf8') === starter.command,
    readsParent: reads(`/proc/${process.ppid}/environ`),
    connects: await connects(port),
  });
}

const pipe = new OrderPipe<Probe>((probe) => void answer(probe));
