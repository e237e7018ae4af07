import type { Connection } from '../db/database.ts';
import { isLocked } from '../db/persist.ts';
import { deleteAbandonedImports, endExcessImports } from '../db/statements/imports.ts';
import { countLost, deleteDeadProcesses } from '../db/statements/processes.ts';
import { dropReaders, removeDroppedRoles } from '../db/statements/studies.ts';
import { loseTrial, transitionTrial } from '../db/statements/transitions.ts';
import { countOverdue, LEASE_MS, selectStray } from '../db/statements/trials.ts';
import { LimitReached } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import type { ParamStore } from '../params/param-store.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { RightsWatch } from './rights-watch.ts';

export interface HousekeepingOptions {
  connection: Connection;
  params: ParamStore;
  clock: Clock;
  logger: Logger;
}

/** A process without a heartbeat for this long is dead. */
const DEAD_MS = 60_000;
const RESCUE_EVERY_MS = 1_000;
/** Rescue runs per lease. */
const RESCUES_PER_LEASE = LEASE_MS / RESCUE_EVERY_MS;
const PRUNE_EVERY_MS = 10_000;
const WATCH_EVERY_MS = 10_000;
const COLLECT_EVERY_MS = 60_000;

/**
 * The leader's work besides studies: rescues trials, watches rights, purges dropped roles, deletes unreferenced data.
 */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #leadsSinceMs: number;
  readonly #rights: RightsWatch;
  #rescuedMs = Number.NEGATIVE_INFINITY;
  #prunedMs: number;
  #watchedMs = Number.NEGATIVE_INFINITY;
  #collectedMs: number;
  #collecting: Promise<void> | undefined;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#rights = new RightsWatch(options.logger);
    this.#leadsSinceMs = options.clock.nowMs();
    this.#prunedMs = this.#leadsSinceMs;
    this.#collectedMs = this.#leadsSinceMs;
  }

  async run(): Promise<void> {
    const { connection, clock } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs - this.#rescuedMs >= RESCUE_EVERY_MS) {
      this.#rescuedMs = nowMs;
      await this.#unlessLocked(() => this.#rescue(nowMs - this.#leadsSinceMs >= LEASE_MS));
    }
    if (nowMs - this.#watchedMs >= WATCH_EVERY_MS) {
      this.#watchedMs = nowMs;
      await this.#unlessLocked(() => this.#rights.check(connection));
    }
    if (nowMs - this.#prunedMs >= PRUNE_EVERY_MS) {
      this.#prunedMs = nowMs;
      await this.#unlessLocked(() => deleteDeadProcesses(connection, DEAD_MS));
      await this.#unlessLocked(() => this.#cancelOrphaned());
      await this.#unlessLocked(() => dropReaders(connection));
      await this.#unlessLocked(() => this.#forgetRoles());
      await this.#unlessLocked(() => deleteAbandonedImports(connection));
      await this.#unlessLocked(() => endExcessImports(connection, reportError(tooManyImports())));
    }
    if (nowMs - this.#collectedMs >= COLLECT_EVERY_MS) {
      this.#collectedMs = nowMs;
      await this.#unlessLocked(() => this.#collectGarbage());
      this.#collecting ??= this.#collectObjects();
    }
  }

  /** Work that is blocked by a lock is retried at the next run; the rest continues. */
  async #unlessLocked(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isLocked(error)) throw error;
      this.#options.logger.warn({ err: reportError(error) }, 'postponed: a lock is held by another session');
    }
  }

  async #forgetRoles(): Promise<void> {
    const forgotten = await removeDroppedRoles(this.#options.connection);
    if (forgotten > 0) this.#options.logger.info({ forgotten }, 'removed the ownership and grants of dropped roles');
  }

  async #collectGarbage(): Promise<void> {
    const { params, logger } = this.#options;
    const collected = await params.collectGarbage();
    if (collected.params + collected.blobs > 0) logger.info(collected, 'parameters deleted');
  }

  /** Resolves when nothing is running any more. */
  async stop(): Promise<void> {
    await this.#collecting;
  }

  /** In the background: studies do not wait for S3, and failures are retried later. */
  async #collectObjects(): Promise<void> {
    const { params, logger } = this.#options;
    try {
      const objects = await params.collectObjects();
      if (objects > 0) logger.info({ objects }, 'objects deleted in S3');
    } catch (error) {
      logger.warn({ err: reportError(error) }, 'deleting objects in S3 is postponed');
    }
    this.#collecting = undefined;
  }

  /** Stops workers that train for an ended study; they see it in the trial's row. */
  async #cancelOrphaned(): Promise<void> {
    const { connection, logger } = this.#options;
    for (const { id, state } of await selectStray(connection)) {
      await transitionTrial({ on: connection, logger }, { id, from: state, event: 'cancel' });
    }
  }

  /**
   * After a restart of Postgres all leases have expired because no worker could renew them. So workers get the time of one
   * more lease, during which a leader must check; the checks of successive leaders add up.
   */
  async #rescue(leadsForLong: boolean): Promise<void> {
    const { connection, logger } = this.#options;
    for (const { id, attempt, processId, checks } of await countOverdue(connection)) {
      if (!leadsForLong && checks < RESCUES_PER_LEASE) continue;
      const lost = await loseTrial({ on: connection, logger }, { id, attempt }, 'its worker sends no heartbeats');
      if (lost && processId !== null) await countLost(connection, processId);
    }
  }
}

const tooManyImports = (): LimitReached =>
  new LimitReached('the role has too many open imports', {
    detail: 'Several sessions began them at the same time.',
    hint: 'Import the file again when others have ended. An administrator sets the number in rafiki.quota.',
  });
