import type { Queryable } from '../db/database.ts';
import { countRunning, isWorkerNeeded, type WorkerCapabilities } from '../db/statements/claims.ts';
import { type Ownership, renewLease } from '../db/statements/trials.ts';
import { LeaseLost } from '../errors/errors.ts';
import { familyNames } from '../models/registry.ts';
import type { TrialRunOptions } from './run-options.ts';

/**
 * What a worker does with its trial next. `overdue`: it ends without a result; `release`: it waits for a worker again; `stop`: it ends with
 * its best epoch.
 */
type LeaseTurn = 'lost' | 'overdue' | 'release' | 'stop' | 'continue';

/**
 * The coordinator stops trials at max_time, and cancels those that go on for a minute. It cannot while their owner has locked the study's row,
 * with a request that is not committed: then the worker does so, later.
 */
const STOP_AFTER_SECONDS = 90;
const OVERDUE_AFTER_SECONDS = 300;
/** How long a role without running trials waits before a trial of another one is given up for it. */
const YIELD_MS = 600_000;
/** They are given up one after the other: longer than the last checkpoint of one, and the start of the next, take. */
const YIELD_STEP_MS = 90_000;
/** How long a role keeps its only running trial: most end sooner, and going on costs seconds. */
const TURN_MS = 3600_000;

/** A worker's claim of a trial: what it learns with each heartbeat. */
export class TrialLease {
  readonly #trial: Ownership;
  readonly #options: Pick<TrialRunOptions, 'database' | 'yieldMs'>;
  /** Since when a role has waited for this worker, as far as this worker knows: a trial may be old, and its study have been paused. */
  #neededSinceMs: number | undefined;

  constructor(trial: Ownership, options: Pick<TrialRunOptions, 'database' | 'yieldMs'>) {
    this.#trial = trial;
    this.#options = options;
  }

  /** A trial that is not training yet is not given up for another role: reading has limits of its own (`read-times.ts`). */
  async renew({ isTraining }: { isTraining: boolean }): Promise<LeaseTurn> {
    const lease = await renewLease(this.#options.database, this.#trial);
    if (lease === undefined) return 'lost';
    if (lease.paused) return 'release';
    if (lease.secondsLeft < -OVERDUE_AFTER_SECONDS) return 'overdue';
    if (lease.stop || lease.secondsLeft < -STOP_AFTER_SECONDS) return 'stop';
    return isTraining && (await this.#isYielded()) ? 'release' : 'continue';
  }

  async #isYielded(): Promise<boolean> {
    const { database, yieldMs = YIELD_MS } = this.#options;
    const rank = await yieldRank(database, this.#trial, { families: familyNames() });
    const nowMs = performance.now();
    this.#neededSinceMs = rank === null ? undefined : (this.#neededSinceMs ?? nowMs);
    if (rank === null || this.#neededSinceMs === undefined) return false;
    return nowMs - this.#neededSinceMs >= yieldMs + rank * YIELD_STEP_MS;
  }
}

/**
 * After how many others a worker gives up its trial for one of a role without running trials; null if none of those waits for it. A role that has
 * several gives up the newest first; of roles that have one, the first is the one that has had its worker for longest.
 */
export async function yieldRank(
  on: Queryable,
  { trialId, processId }: Ownership,
  capabilities: Pick<WorkerCapabilities, 'families'>,
): Promise<number | null> {
  if (!(await isWorkerNeeded(on, processId, capabilities))) return null;
  const trials = await countRunning(on, trialId);
  if (trials === undefined) return null;
  const { own, newer, older, heldMs } = trials;
  if (own > 1) return newer;
  return heldMs < TURN_MS ? Number.POSITIVE_INFINITY : older + 1;
}

export const leaseLost = (trialId: number): LeaseLost => new LeaseLost(`trial ${trialId} is no longer this worker's`);
