import type { Database } from '../db/database.ts';
import { isHeld, isTransientState } from '../db/persist.ts';
import { translatePostgresError } from '../db/postgres-error.ts';
import { endReading, ReaderLogin, type ReaderSession, readerCall } from '../db/reader-login.ts';
import {
  endFill,
  noteFill,
  retryFill,
  selectWaiting,
  takeMarks,
  type WaitingAttachment,
  yieldFill,
} from '../db/statements/attachments.ts';
import { fillerVersion, selectDeferred } from '../db/statements/filler-session.ts';
import { admitReader } from '../db/statements/readings.ts';
import { InvalidState } from '../errors/errors.ts';
import { type ErrorReport, reportError } from '../errors/rafiki-error.ts';
import type { Logger } from '../runtime/logger.ts';
import { readOutcome } from './fill-outcome.ts';

export interface FillerOptions {
  database: Database;
  /** Another table may have its turn. */
  onTurn(): void;
  /** Of whoever fills, where it is not the service's with another name. */
  readerUrl?: string | undefined;
  logger: Logger;
}

/** Tables that are filled at once; of one owner one, whose code may keep his session busy. */
const MAX_AT_ONCE = 4;
/** Of one call, which fills some thousand rows at the most; and after so long its backend is ended, whatever code runs in it. */
const CALL_TIMEOUT = '30s';
const CALL_END_MS = 40_000;
/** What it says: what becomes of a thousand rows. JSON takes some thirty times as much to be read, and the process stands still meanwhile. */
const OUTCOME_BYTES = 1_000_000;
const MESSAGE_BYTES = 4 * OUTCOME_BYTES;
/** Then it is another table's turn, and the owner's next one. */
const SLICE_MS = 10_000;
/** A look at a table that found nothing takes a tenth of the time at the most: anybody may ask for one. */
const LOOK_SHARE = 0.1;
/** Until the next try. It is twice as long each time where the error does not go by itself, as that of a server that is not there does. */
const RETRY_MS = 500;

/** What is known of a look at a table that goes on. */
interface Look {
  /** Where to go on; null where it begins. */
  place: string | null;
  found: number;
  left: number;
  ms: number;
}

/** Fills rows of attached tables that nobody waited for, through functions that work with their owners' rights. */
export class Filler {
  readonly #options: FillerOptions;
  readonly #reader: ReaderLogin;
  readonly #looks = new Map<number, Look>();
  /** By their owners. */
  readonly #running = new Map<number, { id: number; done: Promise<void> }>();
  readonly #sessions = new Set<ReaderSession>();
  #stopping = false;

  constructor(options: FillerOptions) {
    this.#options = options;
    this.#reader = new ReaderLogin({ ...options, serviceUrl: options.database.url });
  }

  /** Begins to fill what waits, and returns without waiting for it. */
  async run(): Promise<void> {
    const { database } = this.#options;
    const busy = [...new Set([...this.#looks.keys(), ...[...this.#running.values()].map(({ id }) => id)])];
    try {
      await takeMarks(database, busy);
      for (const attachment of await selectWaiting(database, [...this.#running.keys()])) {
        if (this.#running.size >= MAX_AT_ONCE || this.#stopping) return;
        if (!this.#running.has(attachment.owner)) this.#begin(attachment);
      }
    } catch (error) {
      if (!isHeld(error)) throw error; // somebody detaches: next time
    }
  }

  /** Returns when nothing is left running. */
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
        this.#options.logger.warn({ attachment: id, err: reportError(error) }, 'filling is left for later'),
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
    const session = await this.#reader.connect({ longestStatement: CALL_TIMEOUT, maxBytes: MESSAGE_BYTES });
    this.#sessions.add(session);
    try {
      await admitReader(database, session.pid, { of: 'attachment', id });
      await this.#look(attachment, session);
    } finally {
      this.#sessions.delete(session);
      await session.connection.close().catch(() => undefined);
      await endReading(database, session.pid).catch(() => undefined); // the next session with that pid says its own
    }
  }

  /** Goes through the table, from where the last slice ended. */
  async #look(attachment: WaitingAttachment, session: ReaderSession): Promise<void> {
    const { database } = this.#options;
    const { id } = attachment;
    const call = await readerCall(session.connection, attachment.reader);
    const look = this.#looks.get(id) ?? { place: null, found: 0, left: 0, ms: 0 };
    this.#looks.set(id, look);
    const untilMs = performance.now() + SLICE_MS;
    while (performance.now() < untilMs && !this.#stopping) {
      const calledMs = performance.now();
      const outcome = readOutcome(await this.#call(session, attachment, { call, place: look.place }));
      const ms = performance.now() - calledMs;
      await noteFill(database, id, outcome);
      if (outcome.error !== null) return this.#retry(id, outcome.error, ms);
      look.found += outcome.filled + outcome.unanswered.length;
      look.left += outcome.left;
      look.place = outcome.place;
      look.ms += ms;
      if (outcome.place === null) return this.#end(id, look);
    }
    await yieldFill(database, id);
  }

  /**
   * One call in a transaction of its own, in a session that is as it began. All that the owner's code does, it does within his function,
   * with his rights: whatever he put in that function's place, or left to the end of the transaction, would run as rafiki_reader, who could
   * change its own password. Each look at that is of now, whatever isolation he may wish for.
   */
  async #call(
    session: ReaderSession,
    attachment: WaitingAttachment,
    { call, place }: { call: string; place: string | null },
  ): Promise<string | null> {
    const { connection } = session;
    const timer = setTimeout(() => {
      void this.#reader.end(session).catch(() => undefined);
    }, CALL_END_MS);
    try {
      await this.#reader.renew(session);
      await connection.query('begin isolation level read committed read write');
      await connection.query(`select set_config('rafiki.fill_place', $1, true)`, [place ?? '']);
      const version = await fillerVersion(connection, attachment);
      if (version === undefined) throw replaced();
      const [row] = await connection.query<{ outcome: string | null }>(
        `select case when octet_length(o) <= ${OUTCOME_BYTES} then o end as outcome from (select ${call}) f (o)`,
      );
      await connection.query('set search_path = pg_catalog, pg_temp'); // which his code may have changed
      if ((await fillerVersion(connection, attachment)) !== version) throw replaced();
      const deferred = await selectDeferred(connection);
      if (deferred !== undefined) throw leftForLater(deferred);
      await connection.query('commit');
      return row?.outcome ?? null;
    } catch (error) {
      await connection.query('rollback').catch(() => undefined); // the connection may be lost
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #end(id: number, { found, left, ms }: Look): Promise<void> {
    this.#looks.delete(id);
    if (left > 0) await retryFill(this.#options.database, id, { error: null, pauseMs: RETRY_MS, grows: false });
    else await endFill(this.#options.database, id, found > 0 ? 0 : ms / LOOK_SHARE);
  }

  /** The next look begins at the start: what has failed may have been anywhere. */
  async #retry(id: number, error: ErrorReport, ms = 0): Promise<void> {
    const { database, logger } = this.#options;
    this.#looks.delete(id);
    if (this.#stopping) return;
    logger.info({ attachment: id, err: error }, 'rows cannot be filled now');
    const pauseMs = Math.max(RETRY_MS, ms / LOOK_SHARE);
    await retryFill(database, id, { error, pauseMs, grows: !isTransientState(error.sqlstate) });
  }
}

const replaced = (): InvalidState =>
  new InvalidState('the function that fills the table is not the one that rafiki_attach made', {
    hint: 'Attach the model again, as the owner of the table: rafiki_attach.',
  });

const leftForLater = (what: string): InvalidState =>
  new InvalidState('rows are not filled where something is left for the end of the transaction', {
    detail: `It would run as another role than the table's owner: ${what}.`,
    hint: 'Make the trigger or constraint not deferrable, and close cursors.',
  });
