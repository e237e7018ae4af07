import { AuthenticationFailed } from '../../errors/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { SignedIn } from './signed-in.ts';

export interface KeptSignInsOptions {
  clock: Clock;
  /** How many are kept; the least recently used makes room. */
  max: number;
  /** A sign-in is checked again after the first time, in the background, and before the next request after the second. */
  refreshMs: number;
  expireMs: number;
}

interface KeptSignIn {
  signedIn: SignedIn;
  /** Throws {@link AuthenticationFailed} if the role may no longer sign in so. */
  check: () => Promise<void>;
  checkedMs: number;
  checking: Promise<void> | undefined;
}

/** Sign-ins that were right a short time ago, by what the client sends: a hash of it. */
export class KeptSignIns {
  readonly #options: KeptSignInsOptions;
  /** The most recently used last. */
  readonly #kept = new Map<string, KeptSignIn>();

  constructor(options: KeptSignInsOptions) {
    this.#options = options;
  }

  /** Without a promise if it was checked recently; undefined if it is not kept. */
  of(key: string): SignedIn | Promise<SignedIn> | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    const { clock, refreshMs, expireMs } = this.#options;
    const ageMs = clock.nowMs() - kept.checkedMs;
    if (ageMs < refreshMs) return kept.signedIn;
    kept.checking ??= this.#check(key, kept).finally(() => {
      kept.checking = undefined;
    });
    if (ageMs >= expireMs) return kept.checking.then(() => kept.signedIn);
    kept.checking.catch(() => undefined); // a refused one is removed; another error counts when it has expired
    return kept.signedIn;
  }

  add(key: string, signedIn: SignedIn, check: () => Promise<void>): void {
    const { clock, max } = this.#options;
    const [oldest] = this.#kept.keys();
    // its requests in progress end, and then its connections
    if (this.#kept.size >= max && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(key, { signedIn, check, checkedMs: clock.nowMs(), checking: undefined });
  }

  async stop(): Promise<void> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    await Promise.all(all.map(({ signedIn }) => signedIn.stop()));
  }

  async #check(key: string, kept: KeptSignIn): Promise<void> {
    const startedMs = this.#options.clock.nowMs();
    try {
      await kept.check();
      kept.checkedMs = startedMs;
    } catch (error) {
      if (error instanceof AuthenticationFailed && this.#kept.get(key) === kept) this.#kept.delete(key);
      throw error;
    }
  }
}
