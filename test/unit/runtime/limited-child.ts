// For limited-process.test.ts: says what it can reach.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { OrderPipe } from '../../../src/runtime/frames/order-pipe.ts';

interface Probe {
  file: string;
  port: number;
  kind: 'look' | 'spin' | 'allocate' | 'start' | 'who' | 'where' | 'echo';
  load?: unknown;
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

async function answer({ kind, file, port, load }: Probe): Promise<void> {
  if (kind === 'spin') for (;;);
  if (kind === 'who') return void pipe.answer(process.pid);
  if (kind === 'echo') return void pipe.answer(load);
  if (kind === 'where') return void pipe.answer([process.cwd(), reads('package.json')]);
  if (kind === 'start') return void pipe.answer(spawn('/bin/sleep', ['600'], { stdio: 'ignore' }).pid);
  if (kind === 'allocate') {
    const kept: Buffer[] = [];
    for (let i = 0; i < 100; i++) kept.push(Buffer.alloc(2 ** 28, 1));
  }
  pipe.answer({
    environment: Object.keys(process.env).filter((name) => name !== 'PWD'),
    readsFile: reads(file),
    readsParent: reads(`/proc/${process.ppid}/environ`),
    connects: await connects(port),
  });
}

const pipe = new OrderPipe<Probe>((probe) => void answer(probe));
