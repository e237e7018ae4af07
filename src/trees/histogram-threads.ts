import { Worker } from 'node:worker_threads';
import { InvalidState } from '../errors/errors.ts';
import type { WasmCode, WasmMemory } from './wasm-runtime.ts';

/** The arguments of the histogram kernel, all addresses. */
export type KernelCall = readonly [first: number, end: number, to: number];

/** Bytes at the start of the memory for each thread, a cache line: its state, and the arguments of a call. */
export const controlBytes = 64;

const stateWord = 0;
const [idle, called, ended] = [1, 2, 3] as const; // 0: still starting

/** Longer than any call takes; a thread that is silent for so long has failed. */
const longestCallMs = 600_000;

/** As text, because Node 20 starts no thread from a TypeScript file. */
const threadCode = `
  const { workerData: { module, memory, index } } = require('node:worker_threads');
  const { histogram } = new WebAssembly.Instance(module, { env: { memory } }).exports;
  const control = new Int32Array(memory.buffer, index * ${controlBytes}, 4);
  for (;;) {
    if (Atomics.load(control, ${stateWord}) === ${called}) histogram(control[1], control[2], control[3]);
    if (Atomics.exchange(control, ${stateWord}, ${idle}) === ${ended}) break;
    Atomics.notify(control, ${stateWord});
    Atomics.wait(control, ${stateWord}, ${idle});
  }
`;

/** Threads that run the histogram kernel on a shared memory while the caller, who waits for them, runs it, too. */
export class HistogramThreads {
  readonly #controls: Int32Array[];

  constructor(count: number, module: WasmCode, memory: WasmMemory) {
    this.#controls = Array.from({ length: count }, (_, index) => {
      const worker = new Worker(threadCode, { eval: true, workerData: { module, memory, index } });
      worker.unref();
      return new Int32Array(memory.buffer, index * controlBytes, 4);
    });
  }

  get count(): number {
    return this.#controls.length;
  }

  /** Whether the thread took the call: one that is still starting does not. */
  start(thread: number, call: KernelCall): boolean {
    const control = this.#controls[thread] as Int32Array;
    if (Atomics.load(control, stateWord) !== idle) return false;
    control.set(call, 1);
    Atomics.store(control, stateWord, called);
    Atomics.notify(control, stateWord);
    return true;
  }

  /** Returns when all calls that were taken are done. */
  wait(): void {
    for (const control of this.#controls)
      while (Atomics.load(control, stateWord) === called)
        if (Atomics.wait(control, stateWord, called, longestCallMs) === 'timed-out')
          throw new InvalidState('a thread that sums histograms does not answer', {
            hint: 'Start the training again.',
          });
  }

  /** The threads end when they see it; nothing waits for them. */
  stop(): void {
    for (const control of this.#controls) {
      Atomics.store(control, stateWord, ended);
      Atomics.notify(control, stateWord);
    }
  }
}
