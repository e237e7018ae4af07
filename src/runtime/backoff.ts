import type { Rng } from './rng.ts';

export interface BackoffOptions {
  firstMs: number;
  maxMs: number;
}

/**
 * Delay before attempt `n` (0-based), ms: exponential, capped, with equal jitter so that clients do not return
 * simultaneously.
 */
export function backoffMs(attempt: number, { firstMs, maxMs }: BackoffOptions, rng: Pick<Rng, 'uniform'>): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** attempt);
  return ceiling / 2 + (ceiling / 2) * rng.uniform();
}
