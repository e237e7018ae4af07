import type { Database } from '../db/database.ts';
import { fillerVersion } from '../db/filler-session.ts';
import { isLocked, isTransientState } from '../db/persist.ts';
import { translatePostgresError } from '../db/postgres-error.ts';
import { guardedCall } from '../db/reader-call.ts';
import { ReaderLogin, type ReaderSession, readerCall } from '../db/reader-login.ts';
import {
  consumeMarks,
  endFill,
  recordFill,
  retryFill,
  selectAttached,
  selectWaiting,
  type WaitingAttachment,
  yieldFill,
} from '../db/statements/attachments.ts';
import { type Admission, admitReader, endReading } from '../db/statements/readings.ts';
import { InvalidState } from '../errors/errors.ts';
import { type ErrorReport, reportError } from '../errors/rafiki-error.ts';
import type { Logger } from '../runtime/logger.ts';
import { readOutcome } from './fill-outcome.ts';

export interface FillerOptions {
  database: Database;
  /** Called when a table's slice has ended, so that another table can start. */
  onTurn(): void;
  /** Connection of the reader login; derived from the service's if absent. */
  readerUrl?: string | undefined;
  /** Override of {@link CALL_END_MS}. */
  callEndMs?: number | undefined;
  /** Override of {@link SLICE_MS}. */
  sliceMs?: number | undefined;
  logger: Logger;
}

/** Tables that are filled concurrently, at most one per owner, since an owner's code may block its session. */
const MAX_CONCURRENT = 4;
/**
 * Time limit of one call, which fills at most some thousand rows; after CALL_END_MS its backend is terminated, whatever
 * code it runs.
 */
const CALL_TIMEOUT = '30s';
const CALL_END_MS = 40_000;
/**
 * Maximum size of a call's result, for a thousand rows. Parsing JSON takes some thirty times its size in memory and
 * blocks the event loop.
 */
const OUTCOME_BYTES = 1_000_000;
const MESSAGE_BYTES = 4 * OUTCOME_BYTES;
/** After this time other tables get their turn, including the owner's next one. */
const SLICE_MS = 10_000;
/** Passes that find nothing may take at most this share of the time: any user can trigger them. */
const SCAN_SHARE = 0.1;
/**
 * Pause before the next attempt; doubles for errors that persist, not for those that pass, such as an unreachable
 * server.
 */
const RETRY_MS = 500;

/** The state of a pass over a table. */
interface TablePass {
  /** Where the next call continues; null at the start. */
  place: string | null;
  found: number;
  left: number;
  ms: number;
}

/** Fills rows of attached tables in the background, by calling functions that run with their owners' rights. */
export class Filler {
  readonly #options: FillerOptions;
  readonly #reader: ReaderLogin;
  readonly #passes = new Map<number, TablePass>();
  /** By owner. */
  readonly #running = new Map<number, { id: number; done: Promise<void> }>();
  readonly #sessions = new Set<ReaderSession>();
  #stopping = false;

  constructor(options: FillerOptions) {
    this.#options = options;
    this.#reader = new ReaderLogin({ ...options, serviceUrl: options.database.url });
  }

  /** Starts filling the waiting tables; does not wait for them. */
  async run(): Promise<void> {
    const { database } = this.#options;
    try {
      await this.#dropDetached();
      const busy = [...new Set([...this.#passes.keys(), ...[...this.#running.values()].map(({ id }) => id)])];
      await consumeMarks(database, busy);
      for (const attachment of await selectWaiting(database, [...this.#running.keys()])) {
        if (this.#running.size >= MAX_CONCURRENT || this.#stopping) return;
        if (!this.#running.has(attachment.owner)) this.#begin(attachment);
      }
    } catch (error) {
      if (!isLocked(error)) throw error; // locked by rafiki_detach: retried at the next tick
    }
  }

  /** Tables that were detached between two slices never get the next one. */
  async #dropDetached(): Promise<void> {
    if (this.#passes.size === 0) return;
    const attached = await selectAttached(this.#options.database, [...this.#passes.keys()]);
    for (const id of this.#passes.keys()) if (!attached.includes(id)) this.#passes.delete(id);
  }

  /** Resolves when nothing is running any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#sessions].map((session) => this.#reader.end(session).catch(() => undefined)));
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  #begin(attachment: WaitingAttachment): void {
    const { id, owner } = attachment;
    const done = this.#fill(attachment)
      .catch((error: unknown) => this.#retry(id, reportError(translatePostgresError(error))))
      .catch((error: unknown) =>
        this.#options.logger.warn({ attachment: id, err: reportError(error) }, 'filling is postponed'),
      )
      .finally(() => {
        this.#running.delete(owner);
        this.#options.onTurn();
      });
    this.#running.set(owner, { id, done });
  }

  async #fill(attachment: WaitingAttachment): Promise<void> {
    const { database } = this.#options;
    const { id } = attachment;
    const session = await this.#reader.connect({ statementTimeout: CALL_TIMEOUT, maxBytes: MESSAGE_BYTES });
    this.#sessions.add(session);
    let admission: Admission | undefined;
    try {
      admission = await admitReader(database, session.pid, { of: 'attachment', id });
      await this.#fillTable(attachment, session);
    } finally {
      this.#sessions.delete(session);
      if (admission !== undefined) await endReading(database, admission).catch(() => undefined); // the next session with this pid registers again
      await session.connection.close().catch(() => undefined);
    }
  }

  /** Continues through the table from where the last slice ended. */
  async #fillTable(attachment: WaitingAttachment, session: ReaderSession): Promise<void> {
    const { database, sliceMs = SLICE_MS } = this.#options;
    const { id } = attachment;
    const call = await readerCall(session.connection, attachment.reader);
    const pass = this.#passes.get(id) ?? { place: null, found: 0, left: 0, ms: 0 };
    this.#passes.set(id, pass);
    const untilMs = performance.now() + sliceMs;
    while (performance.now() < untilMs && !this.#stopping) {
      const calledMs = performance.now();
      const outcome = readOutcome(await this.#call(session, attachment, { call, place: pass.place }));
      const ms = performance.now() - calledMs;
      await recordFill(database, id, outcome);
      if (outcome.error !== null) return this.#retry(id, outcome.error, ms);
      pass.found += outcome.filled + outcome.unanswered.length;
      pass.left += outcome.left;
      pass.place = outcome.place;
      pass.ms += ms;
      if (outcome.place === null) return this.#end(id, pass);
    }
    await yieldFill(database, id);
  }

  /** One call, in a freshly reset session. */
  async #call(
    session: ReaderSession,
    attachment: WaitingAttachment,
    { call, place }: { call: string; place: string | null },
  ): Promise<string | null> {
    const { callEndMs = CALL_END_MS } = this.#options;
    const timer = setTimeout(() => {
      void this.#reader.end(session).catch(() => undefined);
    }, callEndMs);
    try {
      await this.#reader.reset(session);
      return await guardedCall(session.connection, {
        version: (on) => fillerVersion(on, attachment),
        call: async (on) => {
          await on.query(`select set_config('rafiki.fill_place', $1, true)`, [place ?? '']);
          const [row] = await on.query<{ outcome: string | null }>(
            `select case when octet_length(o) <= ${OUTCOME_BYTES} then o end as outcome from (select ${call}) f (o)`,
          );
          return row?.outcome ?? null;
        },
        replaced,
        deferred: deferredWork,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async #end(id: number, { found, left, ms }: TablePass): Promise<void> {
    this.#passes.delete(id);
    if (left > 0) await retryFill(this.#options.database, id, { error: null, pauseMs: RETRY_MS, grows: false });
    else await endFill(this.#options.database, id, found > 0 ? 0 : ms / SCAN_SHARE);
  }

  /** The next pass starts at the beginning: the failure may have been anywhere. */
  async #retry(id: number, error: ErrorReport, ms = 0): Promise<void> {
    const { database, logger } = this.#options;
    this.#passes.delete(id);
    if (this.#stopping) return;
    logger.info({ attachment: id, err: error }, 'rows cannot be filled now');
    const pauseMs = Math.max(RETRY_MS, ms / SCAN_SHARE);
    await retryFill(database, id, { error, pauseMs, grows: !isTransientState(error.sqlstate) });
  }
}

const replaced = (): InvalidState =>
  new InvalidState('the function that fills the table is not the one that rafiki_attach created', {
    hint: 'Attach the model again, as the owner of the table: rafiki_attach.',
  });

const deferredWork = (what: string): InvalidState =>
  new InvalidState('rows cannot be filled if work is deferred to the end of the transaction', {
    detail: `It would not run as the table's owner: ${what}.`,
    hint: 'Make the trigger or constraint not deferrable, and close cursors.',
  });
