import type { Connection } from '../db/database.ts';
import { isHeld } from '../db/persist.ts';
import { countLost, deleteDeadProcesses } from '../db/statements/processes.ts';
import { dropReaders, forgetRoles } from '../db/statements/studies.ts';
import { loseTrial, transitionTrial } from '../db/statements/transitions.ts';
import { LEASE_MS, noteOverdue, selectStray } from '../db/statements/trials.ts';
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

/** A process unseen for so long is dead. */
const DEAD_MS = 60_000;
const RESCUE_EVERY_MS = 1_000;
/** As many looks as fit into a lease. */
const OVERDUE_LOOKS = LEASE_MS / RESCUE_EVERY_MS;
const PRUNE_EVERY_MS = 10_000;
const WATCH_EVERY_MS = 10_000;
const COLLECT_EVERY_MS = 60_000;

/** What the leader does besides studies: rescues trials, watches rights, forgets what is gone, deletes what nobody names. */
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
      await this.#unlessHeld(() => this.#rescue(nowMs - this.#leadsSinceMs >= LEASE_MS));
    }
    if (nowMs - this.#watchedMs >= WATCH_EVERY_MS) {
      this.#watchedMs = nowMs;
      await this.#unlessHeld(() => this.#rights.look(connection));
    }
    if (nowMs - this.#prunedMs >= PRUNE_EVERY_MS) {
      this.#prunedMs = nowMs;
      await this.#unlessHeld(() => deleteDeadProcesses(connection, DEAD_MS));
      await this.#unlessHeld(() => this.#cancelStray());
      await this.#unlessHeld(() => dropReaders(connection));
      await this.#unlessHeld(() => this.#forgetRoles());
    }
    if (nowMs - this.#collectedMs >= COLLECT_EVERY_MS) {
      this.#collectedMs = nowMs;
      await this.#unlessHeld(() => this.#collectGarbage());
      this.#collecting ??= this.#collectObjects();
    }
  }

  /** What somebody's lock stands in the way of is done next time; everything else goes on. */
  async #unlessHeld(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isHeld(error)) throw error;
      this.#options.logger.warn({ err: reportError(error) }, 'left for later: somebody holds a lock');
    }
  }

  async #forgetRoles(): Promise<void> {
    const forgotten = await forgetRoles(this.#options.connection);
    if (forgotten > 0)
      this.#options.logger.info({ forgotten }, 'grants, models and studies of dropped roles are nobody’s now');
  }

  async #collectGarbage(): Promise<void> {
    const { params, logger } = this.#options;
    const collected = await params.collectGarbage();
    if (collected.params + collected.blobs > 0) logger.info(collected, 'parameters deleted');
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

  /** Whatever led to it: a worker that trains for a study that has ended is needed elsewhere, and learns it from the row. */
  async #cancelStray(): Promise<void> {
    const { connection, logger } = this.#options;
    for (const { id, state } of await selectStray(connection)) {
      await transitionTrial({ on: connection, logger }, { id, from: state, event: 'cancel' });
    }
  }

  /**
   * After a restart of Postgres all leases have run out while nobody could renew them: workers have a lease of time to do so first, in
   * which a leader looks. Where leaders end before that too, all their looks together count.
   */
  async #rescue(leadsForLong: boolean): Promise<void> {
    const { connection, logger } = this.#options;
    for (const { id, attempt, processId, looks } of await noteOverdue(connection)) {
      if (!leadsForLong && looks < OVERDUE_LOOKS) continue;
      const lost = await loseTrial({ on: connection, logger }, { id, attempt }, 'its worker was not heard of any more');
      if (lost && processId !== null) await countLost(connection, processId);
    }
  }
}
