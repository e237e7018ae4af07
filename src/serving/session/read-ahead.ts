import { FIRST_PREFETCHED, type FollowedScan, findScan, MAX_CHARS } from './followed-scan.ts';

/** Requests of one statement that were not cached after which reading ahead starts. */
const TRIGGER_MISSES = 8;
/** Requests after which it starts even if all were cached: prefetching pays, too. */
const TRIGGER_WATCHED = 64;
/** After reading ahead in vain, the next search comes when the requests have multiplied by this. */
const RETRY_FACTOR = 8;
/** Rows searched per request so far: a search must stay cheap in comparison. */
const SEARCHED_PER_CALL = 64;
/** Of the second search, if all requests missed. rafiki._notify_unread() waits for it: the first may come too early in a scan. */
export const SECOND_SEARCH_ROWS = TRIGGER_MISSES * RETRY_FACTOR * SEARCHED_PER_CALL;
/** The last requests, which show the scan's direction. */
const RECENT_REQUESTS = 8;

/** The state of the model at a request. */
export interface ModelState {
  /** Whether the answer is cached or being computed. */
  known: boolean;
  /** Speculative rows that wait for their answers. */
  queued: number;
  /** Whether rows may be computed in vain. */
  batchesPay: boolean;
}

/** The scan is unknown: number of its requests, and of those not cached. */
interface Watching {
  kind: 'watching';
  watched: number;
  misses: number;
}

type ScanState =
  | Watching
  /** The database was asked for the rows around the last request. Without a direction, what was read so far goes on. */
  | { kind: 'searching'; recent: readonly string[]; followsAny: boolean; unordered?: FollowedScan }
  /** The scan is known; while `fetching`, the database was asked for more rows of it. */
  | { kind: 'reading' | 'fetching'; scan: FollowedScan };

const watching = (): Watching => ({ kind: 'watching', watched: 0, misses: 0 });

/**
 * Reading ahead for one column in one session: when `select rafiki_predict(m, col) from t` sends row after row, the
 * database is asked for the rows that come next, and available answers are prefetched with the reply to an earlier row.
 *
 * A read request is `?;rows`: find the current row among the first `rows`; or `+;rows;place` or `-;rows;place`: the
 * rows after or before a place.
 */
export class ReadAhead {
  #statement = '';
  #calls = 0;
  /** Number of calls at which the next search is allowed. */
  #nextSearch = 0;
  /** The last requests of a scan without a known direction. */
  #recent: string[] = [];
  #state: ScanState = watching();

  /** Handles a request. Returns a read request or null. */
  request(statement: string, input: string, state: ModelState): string | null {
    if (statement !== this.#statement) this.#begin(statement);
    this.#calls++;
    if (this.#state.kind === 'reading') {
      const { scan } = this.#state;
      if (!scan.isOrdered) return this.#searchAgain(scan, input, state) ?? this.#fetch(scan, state.queued);
      if (scan.follow(input)) return this.#fetch(scan, state.queued);
      this.#stop();
    }
    return this.#state.kind === 'watching' ? this.#watch(this.#state, input, state) : null;
  }

  /**
   * Handles the rows that the database sent, in the table's order; after a search, null stands for the requested row.
   * Returns the rows to compute, in the scan's order. An empty place means that there are none.
   */
  received(place: string, inputs: readonly (string | null)[]): readonly string[] {
    const state = this.#state;
    if (state.kind === 'watching') return [];
    const scan = place === '' ? null : state.kind === 'searching' ? findScan({ place, inputs }, state) : state.scan;
    if (state.kind === 'searching' && state.unordered !== undefined && scan?.isOrdered !== true) {
      this.#state = { kind: 'reading', scan: state.unordered };
      return [];
    }
    if (scan === null) {
      this.#stop();
      return [];
    }
    this.#state = { kind: 'reading', scan };
    return state.kind === 'searching' ? scan.rows : scan.receive({ place, inputs });
  }

  get statement(): string {
    return this.#statement;
  }

  /** Whether it can predict the next requests. */
  get isFollowing(): boolean {
    return this.#followed !== undefined;
  }

  get #followed(): FollowedScan | undefined {
    return this.#state.kind === 'reading' && this.#state.scan.isOrdered ? this.#state.scan : undefined;
  }

  /** Whether the request may be the scan's next one. */
  expects(input: string): boolean {
    return this.#followed?.expects(input) ?? false;
  }

  /** Whether it is exactly the next one, so that all prefetched answers were used. */
  isNext(input: string): boolean {
    return this.#followed?.isNext(input) ?? false;
  }

  /** Whether all rows that were read have been requested. */
  get isUsedUp(): boolean {
    return this.#followed?.isUsedUp ?? true;
  }

  /**
   * A read request during the requests of another column, when all of this column's prefetched answers were used; or
   * null.
   */
  readRequest(queued: number): string | null {
    const scan = this.#followed;
    if (scan === undefined) return null;
    scan.countPrefetched();
    return this.#fetch(scan, queued);
  }

  /** Counts a request outside the scan; after several in sequence the scan is abandoned. */
  missed(): void {
    if (this.#followed?.miss() === false) this.#stop();
  }

  /** Number of answers to prefetch with a reply. */
  get maxPrefetched(): number {
    return this.#followed?.maxPrefetched ?? FIRST_PREFETCHED;
  }

  /** The next row, if its answer is known; it is then prefetched. */
  takeNext(recall: (input: string) => string | undefined): { input: string; label: string } | null {
    const next = this.#followed?.takeNext(recall) ?? null;
    if (next !== null) this.#calls++;
    return next;
  }

  #begin(statement: string): void {
    this.#statement = statement;
    this.#calls = 0;
    this.#nextSearch = 0;
    this.#forget();
  }

  #stop(): void {
    if ('scan' in this.#state && this.#state.scan.hasPaidOff) this.#nextSearch = this.#calls; // the scan may continue elsewhere
    this.#forget();
  }

  #forget(): void {
    this.#state = watching();
    this.#recent = [];
  }

  #watch(state: Watching, input: string, { known, batchesPay }: ModelState): string | null {
    state.watched++;
    if (!known) state.misses++;
    const isDue = state.misses >= TRIGGER_MISSES || state.watched >= TRIGGER_WATCHED;
    return (isDue ? this.#search({ followsAny: batchesPay }) : null) ?? this.#remember(input);
  }

  /** A direction may show later: where a table begins, an UPDATE may have left few rows. */
  #searchAgain(unordered: FollowedScan, input: string, { batchesPay }: ModelState): string | null {
    return this.#search({ followsAny: batchesPay, unordered }) ?? this.#remember(input);
  }

  #search(options: { followsAny: boolean; unordered?: FollowedScan }): string | null {
    if (this.#calls < this.#nextSearch) return null;
    this.#state = { kind: 'searching', recent: this.#recent, ...options };
    this.#recent = [];
    this.#nextSearch = RETRY_FACTOR * this.#calls;
    return `?;${SEARCHED_PER_CALL * this.#calls}`;
  }

  #remember(input: string): null {
    if (input.length <= MAX_CHARS / RECENT_REQUESTS) this.#recent.push(input);
    if (this.#recent.length > RECENT_REQUESTS) this.#recent.shift();
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
