import type { Connection } from '../db/database.ts';
import { isLocked } from '../db/persist.ts';
import { translatePostgresError } from '../db/postgres-error.ts';
import { deleteAbandonedImports, endExcessImports } from '../db/statements/imports.ts';
import { dropOldVersions } from '../db/statements/models.ts';
import { countLost, deleteDeadProcesses } from '../db/statements/processes.ts';
import { dropReaders } from '../db/statements/readings.ts';
import { endExcessStudies, removeDroppedRoles } from '../db/statements/studies.ts';
import { loseTrial, transitionTrial } from '../db/statements/transitions.ts';
import { countOverdue, selectStray } from '../db/statements/trials.ts';
import { LEASE_MS } from '../domain/leases.ts';
import { LimitReached } from '../errors/errors.ts';
import { type ErrorReport, reportError } from '../errors/rafiki-error.ts';
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
/** Checks of a lease that is over before its trial is lost: a worker renews it every four seconds, and may only have been unable to. */
export const MIN_CHECKS = 6;
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
  /** Processes without a heartbeat at the last check. */
  #silent: readonly number[] = [];
  #watchedMs = Number.NEGATIVE_INFINITY;
  #collectedMs: number;
  #collecting: Promise<void> | undefined;
  /** Why the last turn could not delete all. */
  #failure = '';
  readonly #stopping = new AbortController();

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
      await this.#unlessLocked(() => this.#deleteDead());
      await this.#unlessLocked(() => this.#endExcess());
      await this.#unlessLocked(() => this.#cancelOrphaned());
      await this.#unlessLocked(() => dropReaders(connection));
      await this.#unlessLocked(() => this.#forgetRoles());
      await this.#unlessLocked(() => deleteAbandonedImports(connection));
    }
    if (nowMs - this.#collectedMs >= COLLECT_EVERY_MS) {
      this.#collectedMs = nowMs;
      await this.#unlessLocked(() => this.#dropOldVersions());
      this.#collecting ??= this.#collect();
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

  async #deleteDead(): Promise<void> {
    this.#silent = await deleteDeadProcesses(this.#options.connection, DEAD_MS, this.#silent);
  }

  /** What roles began beyond their quotas, in sessions that did not see each other's rows yet. */
  async #endExcess(): Promise<void> {
    const { connection, logger } = this.#options;
    const ended = await endExcessStudies(connection, reportError(tooMany('studies', 'Train')));
    if (ended > 0) logger.warn({ ended }, 'ended studies beyond the quota of their role');
    await endExcessImports(connection, reportError(tooMany('imports', 'Import the file')));
  }

  async #forgetRoles(): Promise<void> {
    const forgotten = await removeDroppedRoles(this.#options.connection);
    if (forgotten > 0) this.#options.logger.info({ forgotten }, 'removed the ownership and grants of dropped roles');
  }

  async #dropOldVersions(): Promise<void> {
    const dropped = await dropOldVersions(this.#options.connection);
    if (dropped > 0) this.#options.logger.info({ dropped }, 'old versions of models dropped');
  }

  /** Resolves when nothing is running any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#collecting;
  }

  /** In the background: studies wait neither for gigabytes to be deleted nor for S3. What fails is tried again at the next turn. */
  async #collect(): Promise<void> {
    const { params, logger } = this.#options;
    const { signal } = this.#stopping;
    try {
      const collected = await params.collectGarbage(signal);
      if (collected.params + collected.blobs > 0) logger.info(collected, 'parameters deleted');
      const objects = await params.collectObjects(signal);
      if (objects > 0) logger.info({ objects }, 'objects deleted in S3');
      this.#failure = '';
    } catch (error) {
      this.#warnOnce(reportError(translatePostgresError(error)));
    }
    this.#collecting = undefined;
  }

  /** Some failures last until a person does something. */
  #warnOnce(failure: ErrorReport): void {
    if (failure.message !== this.#failure)
      this.#options.logger.warn({ err: failure }, 'deleting parameters is postponed');
    this.#failure = failure.message;
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
   * more lease, during which a leader must check; the checks of successive leaders add up. So do all after the clock was set back. Postgres
   * may also have been away for a leader that stays: a worker that lives renews its lease meanwhile, and the checks begin again.
   */
  async #rescue(leadsForLong: boolean): Promise<void> {
    const { connection, logger } = this.#options;
    for (const { id, attempt, processId, checks, isAhead } of await countOverdue(connection)) {
      if (checks < (isAhead || !leadsForLong ? RESCUES_PER_LEASE : MIN_CHECKS)) continue;
      const lost = await loseTrial({ on: connection, logger }, { id, attempt }, 'its worker sends no heartbeats');
      if (lost && processId !== null) await countLost(connection, processId);
    }
  }
}

const tooMany = (what: string, repeat: string): LimitReached =>
  new LimitReached(`the role has too many open ${what}`, {
    detail: 'Several sessions began them at the same time.',
    hint: `${repeat} again when others have ended. An administrator sets the number in rafiki.quota.`,
  });
