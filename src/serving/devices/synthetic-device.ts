import { Worker } from 'node:worker_threads';
import type { Subset } from '../policies/policy.ts';
import type { BatchResult, ExplainedEnsemble } from './device.ts';
import type { LoadedDevice } from './resident-device.ts';

/**
 * For measurements only: simulates an accelerator, where batching pays. Answers are real, but each batch takes at least
 * `fixedMs + rowMs · rows`, one batch at a time. Enabled by `RAFIKI_SYNTHETIC_DEVICE="2+0.05"`.
 */
export interface SyntheticTiming {
  fixedMs: number;
  rowMs: number;
}

/** Undefined unless the text is two numbers. */
export function parseSyntheticTiming(input: string): SyntheticTiming | undefined {
  const [, fixed, row] = /^(\d+(?:\.\d+)?)\+(\d+(?:\.\d+)?)$/.exec(input) ?? [];
  if (fixed === undefined || row === undefined) return undefined;
  return { fixedMs: Number(fixed), rowMs: Number(row) };
}

export class SyntheticDevice implements LoadedDevice {
  readonly isFree = true;
  readonly inlineRows = 0;
  readonly #real: LoadedDevice;
  readonly #timing: SyntheticTiming;
  readonly #sleeper = new Sleeper();

  constructor(real: LoadedDevice, timing: SyntheticTiming) {
    this.#real = real;
    this.#timing = timing;
  }

  async run(inputs: readonly string[], subset: Subset): Promise<BatchResult> {
    const { fixedMs, rowMs } = this.#timing;
    const startedMs = performance.now();
    const asleep = this.#sleeper.sleep(fixedMs + rowMs * inputs.length);
    const { outputs } = await this.#real.run(inputs, subset);
    await asleep;
    return { outputs, ms: performance.now() - startedMs };
  }

  async explain(orders: readonly string[], ensemble: ExplainedEnsemble): Promise<BatchResult> {
    return (await this.#real.explain?.(orders, ensemble)) ?? { outputs: [], ms: 0 };
  }

  grow(): Promise<void> {
    return this.#real.grow();
  }

  async release(): Promise<void> {
    await this.#sleeper.stop();
    await this.#real.release();
  }
}

const sleeperCode = `
  const { parentPort } = require('node:worker_threads');
  const never = new Int32Array(new SharedArrayBuffer(4));
  parentPort.on('message', (ms) => {
    Atomics.wait(never, 0, 0, ms);
    parentPort.postMessage(null);
  });`;

/** Sleeps with a precision of 0.1 ms on its own thread: timers have 1 ms, and spinning takes a core. */
class Sleeper {
  readonly #worker = new Worker(sleeperCode, { eval: true });
  readonly #waking: (() => void)[] = [];

  constructor() {
    this.#worker.on('message', () => this.#waking.shift()?.());
    this.#worker.unref();
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waking.push(resolve);
      this.#worker.postMessage(ms);
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
    for (const wake of this.#waking.splice(0)) wake();
  }
}
