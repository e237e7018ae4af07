import { Worker } from 'node:worker_threads';
import { InvalidState } from '../../errors/errors.ts';
import type { WasmCode, WasmMemory } from './runtime.ts';

/** The number of an exported function, and its arguments, all of 32 bits. */
export type KernelCall = readonly [kernel: number, ...number[]];

export type KernelFunction = (...parameters: readonly number[]) => void;

/** Bytes at the start of the memory for each thread, a cache line: its state, and a call. */
export const controlBytes = 64;

const stateWord = 0;
const [idle, called, ended] = [1, 2, 3] as const; // 0: still starting

/** Longer than any call takes; a thread that is silent for so long has failed. */
const longestCallMs = 600_000;

/** As text, because Node 20 starts no thread from a TypeScript file. */
const threadCode = `
  const { workerData: { code, memory, index } } = require('node:worker_threads');
  const kernels = Object.values(new WebAssembly.Instance(code, { env: { memory } }).exports);
  const control = new Int32Array(memory.buffer, index * ${controlBytes}, ${controlBytes / 4});
  for (;;) {
    const state = Atomics.load(control, ${stateWord});
    if (state === ${ended}) break;
    if (state === ${called}) kernels[control[1]](...control.subarray(2));
    Atomics.compareExchange(control, ${stateWord}, state, ${idle}); // a call that came after the load is taken next
    Atomics.notify(control, ${stateWord});
    Atomics.wait(control, ${stateWord}, ${idle});
  }
`;

/** Threads that run kernels on a shared memory while the caller, who waits for them, runs some, too. */
export class KernelThreads {
  readonly #controls: Int32Array[];

  constructor(count: number, code: WasmCode, memory: WasmMemory) {
    this.#controls = Array.from({ length: count }, (_, index) => {
      const worker = new Worker(threadCode, { eval: true, workerData: { code, memory, index } });
      worker.unref();
      return new Int32Array(memory.buffer, index * controlBytes, controlBytes / 4);
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
          throw new InvalidState('a thread of the training does not answer', { hint: 'Start the training again.' });
  }

  /** The threads end when they see it; nothing waits for them. */
  stop(): void {
    for (const control of this.#controls) {
      Atomics.store(control, stateWord, ended);
      Atomics.notify(control, stateWord);
    }
  }
}
