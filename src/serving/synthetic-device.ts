import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidParameter } from '../errors/errors.ts';
import type { Device, MemberOutput } from './device.ts';

/**
 * For measuring only: what batching gains on an accelerator, on a machine that has none. Answers are real, but each batch
 * takes at least `fixedMs + rowMs · rows`, one batch at a time. `RAFIKI_SYNTHETIC_DEVICE="2+0.05"` turns it on.
 */
export interface SyntheticTiming {
  fixedMs: number;
  rowMs: number;
}

export function parseSyntheticTiming(text: string | undefined): SyntheticTiming | null {
  if (text === undefined || text === '') return null;
  const [, fixed, row] = /^(\d+(?:\.\d+)?)\+(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (fixed === undefined || row === undefined) {
    throw new InvalidParameter('RAFIKI_SYNTHETIC_DEVICE is not two numbers', {
      detail: `got "${text}"`,
      hint: 'Write milliseconds per batch and per row: RAFIKI_SYNTHETIC_DEVICE="2+0.05".',
    });
  }
  return { fixedMs: Number(fixed), rowMs: Number(row) };
}

export class SyntheticDevice implements Device {
  readonly slots = 1;
  readonly inlineRows = 0;
  readonly #real: Device;
  readonly #timing: SyntheticTiming;

  constructor(real: Device, timing: SyntheticTiming) {
    this.#real = real;
    this.#timing = timing;
  }

  async run(texts: readonly string[], members: number): Promise<MemberOutput[]> {
    const endMs = performance.now() + this.#timing.fixedMs + this.#timing.rowMs * texts.length;
    const outputs = await this.#real.run(texts, members);
    await until(endMs);
    return outputs;
  }

  release(): Promise<void> {
    return this.#real.release();
  }
}

/** Neither spins nor blocks: timers have a grain of 1 ms, the rest goes turn by turn of the event loop. */
async function until(endMs: number): Promise<void> {
  const wholeMs = Math.floor(endMs - performance.now()) - 1;
  if (wholeMs >= 1) await sleep(wholeMs);
  while (performance.now() < endMs) await new Promise((resolve) => setImmediate(resolve));
}
