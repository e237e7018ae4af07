import type { Database } from '../db/database.ts';
import { Heartbeat } from '../db/heartbeat.ts';
import { Listener } from '../db/listener.ts';
import { translatePostgresError } from '../db/postgres-error.ts';
import { acquireLeadership, releaseLeadership } from '../db/statements/leadership.ts';
import { LEADERSHIP_MS } from '../domain/leases.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { createParamStore, type StorageOptions } from '../params/create-param-store.ts';
import type { ParamStore } from '../params/param-store.ts';
import { systemClock } from '../runtime/clock.ts';
import { defaultCacheDir } from '../runtime/disk/cache-dir.ts';
import { defaultImportMemory } from '../runtime/limited/default-memory.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Measured, MeasuredService } from '../runtime/measured.ts';
import { type Service, startAll, stopAll } from '../runtime/service.ts';
import { sleep } from '../runtime/sleep.ts';
import { Wake } from '../runtime/wake.ts';
import { advanceStudies, StudyTurns } from './advance-studies.ts';
import { Filler } from './filler.ts';
import { Housekeeping } from './housekeeping.ts';
import { Importer } from './importer.ts';
import { MeasuredWork } from './measured-work.ts';

export interface CoordinatorOptions extends StorageOptions {
  database: Database;
  /** Connection of the reader login that fills attached tables; derived from the service's if absent. */
  readerUrl?: string | undefined;
  /** Maximum of a process that checks an imported model; default: {@link defaultImportMemory}. */
  importMemoryBytes?: number | undefined;
  logger: Logger;
}

/** Fallback for a lost NOTIFY; also how soon a standby notices the loss of the leader. */
const TICK_MS = 1_000;
/** Any role may send any number of NOTIFYs: this bounds the number of queries. */
const MIN_TICK_MS = 50;
/** Of the lease of the lead, which other coordinators wait for. */
const RENEW_EVERY_MS = LEADERSHIP_MS / 10;

export const createCoordinator = (options: CoordinatorOptions): Service & MeasuredService => new Coordinator(options);

/** Several coordinators may run; one of them, the leader, acts. */
class Coordinator implements Service, MeasuredService {
  readonly #options: CoordinatorOptions;
  readonly #params: ParamStore;
  readonly #heartbeat: Heartbeat;
  readonly #listener: Listener;
  readonly #wake = new Wake(MIN_TICK_MS);
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  readonly #work: MeasuredWork;
  #isLeading = false;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    const { database, logger } = options;
    this.#params = createParamStore(database, options);
    this.#work = new MeasuredWork(database);
    this.#heartbeat = new Heartbeat({ database, kind: 'coordinator', logger });
    this.#listener = new Listener({
      url: database.url,
      channels: ['rafiki_study', 'rafiki_report', 'rafiki_deployment', 'rafiki_fill', 'rafiki_import'],
      onNotify: () => this.#wake.notify(),
      onConnect: () => this.#wake.notify(),
      logger,
    });
  }

  async start(): Promise<void> {
    await startAll([this.#heartbeat, this.#listener]);
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await stopAll([this.#heartbeat, this.#listener]);
  }

  measured(): Promise<readonly Measured[]> {
    return this.#work.measured(this.#isLeading);
  }

  async #run(): Promise<void> {
    const { logger } = this.#options;
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#session();
      } catch (error) {
        logger.warn({ err: reportError(translatePostgresError(error)) }, 'leadership lost or not available');
        await sleep(TICK_MS, this.#stopping.signal); // regardless of notifications: Postgres may be starting
      }
    }
  }

  /** One connection: waits for leadership, then acts until leadership or the connection is lost. */
  async #session(): Promise<void> {
    const { database, readerUrl, logger } = this.#options;
    const { signal } = this.#stopping;
    let lost = false;
    const connection = await database.connect(() => {
      lost = true;
      this.#wake.notify();
    });
    const processId = this.#heartbeat.id ?? 0;
    const leads = (): Promise<boolean> => acquireLeadership(connection, processId);
    try {
      while (!lost && !signal.aborted && !(await leads())) await this.#wake.wait(TICK_MS, signal);
      if (lost || signal.aborted) return;
      logger.info('leading');
      this.#isLeading = true;
      const leader = { connection, processId, logger };
      const housekeeping = new Housekeeping({ connection, params: this.#params, clock: systemClock, logger });
      const onTurn = (): void => this.#wake.notify();
      const filler = new Filler({ database, readerUrl, onTurn, logger });
      const importer = this.#importer(onTurn);
      const studies = new StudyTurns();
      const work = [
        async () => {
          if (await advanceStudies(leader, studies)) onTurn();
        },
        ...[filler, importer, housekeeping].map((each) => () => each.run()),
      ];
      const renewed = renewing(leads);
      const stillLeads = async (): Promise<boolean> =>
        !lost && !signal.aborted && this.#heartbeat.id === processId && (await renewed());
      try {
        while (await tick(work, stillLeads)) await this.#wake.wait(TICK_MS, signal);
      } finally {
        this.#isLeading = false;
        await Promise.all([housekeeping.stop(), filler.stop(), importer.stop()]);
        if (!lost) await releaseLeadership(connection, processId);
      }
    } finally {
      await connection.close().catch(() => undefined); // the connection may be broken
    }
  }

  #importer(onTurn: () => void): Importer {
    const { database, cacheDir = defaultCacheDir(), importMemoryBytes, logger } = this.#options;
    const memoryBytes = importMemoryBytes ?? defaultImportMemory();
    return new Importer({ database, params: this.#params, cacheDir, memoryBytes, onTurn, logger });
  }
}

/** Renews the lead if the last time was a while ago. */
function renewing(leads: () => Promise<boolean>): () => Promise<boolean> {
  let renewedMs = Number.NEGATIVE_INFINITY;
  return async () => {
    const nowMs = systemClock.nowMs();
    if (nowMs - renewedMs < RENEW_EVERY_MS) return true;
    renewedMs = nowMs;
    return leads();
  };
}

/** Does each part of the work if it still leads: together they may take longer than a lease of the lead. False if it does not. */
async function tick(work: readonly (() => Promise<unknown>)[], stillLeads: () => Promise<boolean>): Promise<boolean> {
  for (const part of work) {
    if (!(await stillLeads())) return false;
    await part();
  }
  return true;
}
