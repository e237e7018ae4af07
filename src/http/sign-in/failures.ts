import { isIPv6 } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';

const WINDOW_MS = 60_000;
/** Counters kept: the oldest are forgotten first. */
const MAX_KEYS = 10_000;

interface FailureWindow {
  startedMs: number;
  count: number;
}

/** What failures of an address count for: of IPv6 the first 64 bits, which one subscriber has. */
export function networkOf(address: string): string {
  const plain = address.split('%', 1)[0] ?? '';
  if (!isIPv6(plain)) return address;
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain) ?? [];
  if (mapped !== undefined) return mapped;
  const [left = '', right] = plain.split('::', 2).map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...left];
  if (right !== undefined) groups.push(...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right);
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

/** Counts failures by key in windows of a minute. */
export class Failures {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #windows = new Map<string, FailureWindow>();

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  /** Seconds until the next attempt is allowed; 0: now. */
  waitSeconds(key: string): number {
    const window = this.#current(key);
    if (window === undefined || window.count < this.#max) return 0;
    return Math.max(1, Math.ceil((window.startedMs + WINDOW_MS - this.#clock.nowMs()) / 1000));
  }

  /** How many the key has with this one. */
  add(key: string): number {
    const window = this.#current(key);
    if (window !== undefined) return ++window.count;
    this.#windows.delete(key);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size >= MAX_KEYS && oldest !== undefined) this.#windows.delete(oldest);
    this.#windows.set(key, { startedMs: this.#clock.nowMs(), count: 1 });
    return 1;
  }

  #current(key: string): FailureWindow | undefined {
    const window = this.#windows.get(key);
    return window !== undefined && this.#clock.nowMs() - window.startedMs < WINDOW_MS ? window : undefined;
  }
}
