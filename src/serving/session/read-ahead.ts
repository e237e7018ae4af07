import { FIRST_PREFETCHED, type FollowedScan, findScan, MAX_CHARS } from './followed-scan.ts';

/** So many requests of one statement that the server did not know start reading ahead. */
const TRIGGER_MISSES = 8;
/** So many requests start it even if all were known: answers that are prefetched are worth it too. */
const TRIGGER_WATCHED = 64;
/** Where reading ahead brought nothing, the scan is looked for again after so many times the requests. */
const PATIENCE = 8;
/** Rows looked through for each request that was asked: a search must stay cheap beside them. */
const SEARCHED_PER_CALL = 64;
/** The last requests, by which the order of the scan is known. */
const REMEMBERED_REQUESTS = 8;

/** What a request meets. */
export interface ModelState {
  /** Whether its answer is there or on its way. */
  known: boolean;
  /** Rows read ahead that still wait for their answers. */
  queued: number;
  /** Whether rows may be computed for nothing. */
  batchesPay: boolean;
}

/** The scan is not known yet: its requests, those of them that were not known, and the last ones. */
interface Watching {
  kind: 'watching';
  watched: number;
  misses: number;
  recent: string[];
}

type ScanState =
  | Watching
  /** The database was told to look around the last request. */
  | { kind: 'looking'; recent: readonly string[]; followsAny: boolean }
  /** It is known; while `fetching`, the database was told to send more rows of it. */
  | { kind: 'reading' | 'fetching'; scan: FollowedScan };

const watching = (): Watching => ({ kind: 'watching', watched: 0, misses: 0, recent: [] });

/**
 * Reading ahead for one column in one session: when the plain form `select rafiki_predict(m, col) from t` asks row by row, the
 * database is told to send rows that come next, and answers that are there are prefetched with the reply to an earlier row.
 *
 * A read request is `?;rows`, find the row among so many, or `+;rows;place` or `-;rows;place`, the rows after or before a place.
 */
export class ReadAhead {
  #statement = '';
  #calls = 0;
  /** At how many calls the scan may be looked for again. */
  #nextLook = 0;
  #state: ScanState = watching();

  /** One request. Returns what the database shall read, or null. */
  request(statement: string, input: string, state: ModelState): string | null {
    if (statement !== this.#statement) this.#begin(statement);
    this.#calls++;
    if (this.#state.kind === 'reading') {
      const { scan } = this.#state;
      if (!scan.isOrdered || scan.follow(input)) return this.#fetch(scan, state.queued);
      this.#stop();
    }
    return this.#state.kind === 'watching' ? this.#watch(this.#state, input, state) : null;
  }

  /**
   * The database sent the rows of a place, in the table's order; after a look, null stands for the row asked. Gives those to
   * compute, in the scan's order. An empty place: there are none.
   */
  received(place: string, inputs: readonly (string | null)[]): readonly string[] {
    const state = this.#state;
    if (state.kind === 'watching') return [];
    const scan = place === '' ? null : state.kind === 'looking' ? findScan({ place, inputs }, state) : state.scan;
    if (scan === null) {
      this.#stop();
      return [];
    }
    this.#state = { kind: 'reading', scan };
    return state.kind === 'looking' ? scan.rows : scan.receive({ place, inputs });
  }

  get statement(): string {
    return this.#statement;
  }

  /** Whether it knows what will be asked next. */
  get isFollowing(): boolean {
    return this.#followed !== undefined;
  }

  get #followed(): FollowedScan | undefined {
    return this.#state.kind === 'reading' && this.#state.scan.isOrdered ? this.#state.scan : undefined;
  }

  /** Whether a request is one that the scan can come to next. */
  expects(input: string): boolean {
    return this.#followed?.expects(input) ?? false;
  }

  /** Whether it is the very next, so that whatever was prefetched was used. */
  isNext(input: string): boolean {
    return this.#followed?.isNext(input) ?? false;
  }

  /** Whether all rows that were read have been asked. */
  get isUsedUp(): boolean {
    return this.#followed?.isUsedUp ?? true;
  }

  /** What the database shall read while another column is asked, all of whose prefetched answers were used; or null. */
  more(queued: number): string | null {
    const scan = this.#followed;
    if (scan === undefined) return null;
    scan.countPrefetched();
    return this.#fetch(scan, queued);
  }

  /** A request came from elsewhere; after so many in a row the scan is over. */
  missed(): void {
    if (this.#followed?.miss() === false) this.#stop();
  }

  /** How many answers may be prefetched with the reply to a request. */
  get maxPrefetched(): number {
    return this.#followed?.maxPrefetched ?? FIRST_PREFETCHED;
  }

  /** The row that comes next is prefetched with a reply, where its answer is known. */
  takeNext(recall: (input: string) => string | undefined): { input: string; label: string } | null {
    const next = this.#followed?.takeNext(recall) ?? null;
    if (next !== null) this.#calls++;
    return next;
  }

  #begin(statement: string): void {
    this.#statement = statement;
    this.#calls = 0;
    this.#nextLook = 0;
    this.#state = watching();
  }

  #stop(): void {
    if ('scan' in this.#state && this.#state.scan.paid) this.#nextLook = this.#calls; // it may go on elsewhere
    this.#state = watching();
  }

  #watch(state: Watching, input: string, { known, batchesPay }: ModelState): string | null {
    state.watched++;
    if (!known) state.misses++;
    const isDue = state.misses >= TRIGGER_MISSES || state.watched >= TRIGGER_WATCHED;
    if (isDue && this.#calls >= this.#nextLook) {
      this.#state = { kind: 'looking', recent: state.recent, followsAny: batchesPay };
      this.#nextLook = PATIENCE * this.#calls;
      return `?;${SEARCHED_PER_CALL * this.#calls}`;
    }
    if (input.length <= MAX_CHARS / REMEMBERED_REQUESTS) state.recent.push(input);
    if (state.recent.length > REMEMBERED_REQUESTS) state.recent.shift();
    return null;
  }

  #fetch(scan: FollowedScan, queued: number): string | null {
    if (scan.isOver) {
      this.#stop();
      return null;
    }
    const readRequest = scan.readRequest(queued, this.#calls);
    if (readRequest !== null) this.#state = { kind: 'fetching', scan };
    return readRequest;
  }
}
