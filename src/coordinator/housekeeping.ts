import type { Connection } from '../db/database.ts';
import { loseTrial } from '../db/statements/moves.ts';
import { countLost, deleteDeadProcesses } from '../db/statements/processes.ts';
import { LEASE_MS, selectExpired } from '../db/statements/trials.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { ParamStore } from '../params/param-store.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';

export interface HousekeepingOptions {
  connection: Connection;
  params: ParamStore;
  clock: Clock;
  logger: Logger;
}

/** A process unseen for so long is dead. */
const DEAD_MS = 60_000;
const PRUNE_EVERY_MS = 10_000;
const COLLECT_EVERY_MS = 60_000;

/** What the leader does besides studies: rescue trials, forget dead processes, delete parameters that nobody names. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #leadsSinceMs: number;
  #prunedMs: number;
  #collectedMs: number;
  #collecting: Promise<void> | undefined;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#leadsSinceMs = options.clock.nowMs();
    this.#prunedMs = this.#leadsSinceMs;
    this.#collectedMs = this.#leadsSinceMs;
  }

  async run(): Promise<void> {
    const { connection, params, clock, logger } = this.#options;
    const nowMs = clock.nowMs();
    // After a restart of Postgres all leases have run out while nobody could renew them: workers go first.
    if (nowMs - this.#leadsSinceMs >= LEASE_MS) await this.#rescue();
    if (nowMs - this.#prunedMs >= PRUNE_EVERY_MS) {
      this.#prunedMs = nowMs;
      await deleteDeadProcesses(connection, DEAD_MS);
    }
    if (nowMs - this.#collectedMs >= COLLECT_EVERY_MS) {
      this.#collectedMs = nowMs;
      const collected = await params.collectGarbage();
      if (collected.params + collected.blobs > 0) logger.info(collected, 'parameters deleted');
      this.#collecting ??= this.#collectObjects();
    }
  }

  /** Returns when nothing is left running. */
  async stop(): Promise<void> {
    await this.#collecting;
  }

  /** Beside everything else: studies do not wait for S3, and what it refuses now is tried again later. */
  async #collectObjects(): Promise<void> {
    const { params, logger } = this.#options;
    try {
      const objects = await params.collectObjects();
      if (objects > 0) logger.info({ objects }, 'objects deleted in S3');
    } catch (error) {
      logger.warn({ err: reportError(error) }, 'objects in S3 are left for later');
    }
    this.#collecting = undefined;
  }

  async #rescue(): Promise<void> {
    const { connection, logger } = this.#options;
    for (const { id, attempt, processId } of await selectExpired(connection)) {
      const lost = await loseTrial({ on: connection, logger }, { id, attempt }, 'its worker was not heard of any more');
      if (lost && processId !== null) await countLost(connection, processId);
    }
  }
}
