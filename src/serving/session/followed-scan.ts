/** Rows that may be computed in vain. */
const FIRST_ROWS = 64;
/** In a scan that uses more than half of the rows, this many further rows per used row: windows double. */
const ROWS_PER_USED = 2;
/** Four of the largest batches. */
const MAX_ROWS = 1024;
/** A window pays if it has this many rows, or half of all rows before it. */
const MIN_ROWS = 32;
/** With fewer waiting rows than this, either uncomputed or unrequested, the next window is fetched. */
const LOW_WATER = 512;
/** Limit of their characters: images are long. */
export const MAX_CHARS = 16 * 1024 * 1024;

/** Answers prefetched with the first reply: few, so that little is lost if they are unused. */
export const FIRST_PREFETCHED = 16;
/** Their maximum: beyond, the round trip is a small part of a backend's cost per row. */
const MAX_PREFETCHED = 128;
/** A filter may skip rows: the next request is searched for in this many rows. */
const SEARCH_ROWS = 256;
/** After this many requests outside the scan, it is abandoned. */
const MAX_MISSES = 16;

/** A window of a table's column: relation, column, and the positions before and after it, '' at the table's ends. */
interface WindowPlace {
  column: string;
  low: string;
  high: string;
}

type ScanOrder = 'up' | 'down' | 'none';

/** Rows that the database sent: a place, and the inputs in the table's order. */
interface SentRows {
  place: string;
  inputs: readonly (string | null)[];
}

/**
 * Finds the scan that the recent requests belong to, from the rows around the requested one (null). The positions of
 * the recent requests show the scan's direction. Null if the scan skips most rows, so that reading ahead does not pay.
 * Without a direction, it is followed only if rows may be computed in vain.
 */
export function findScan(
  { place, inputs }: SentRows,
  { recent, followsAny }: { recent: readonly string[]; followsAny: boolean },
): FollowedScan | null {
  const here = inputs.indexOf(null);
  const asked = new Set(recent);
  const before = inputs
    .slice(0, here)
    .filter((input) => input !== null)
    .reverse();
  const after = inputs.slice(here + 1).filter((input) => input !== null);
  const behind = before.filter((input) => asked.has(input)).length;
  const ahead = after.filter((input) => asked.has(input)).length;
  const found = placeOf(place);
  if (behind === ahead) return followsAny ? new FollowedScan({ ...found, low: '', high: '(0,0)' }, 'none', []) : null;
  const [order, past, next] = behind > ahead ? (['up', before, after] as const) : (['down', after, before] as const);
  const span = 1 + past.findLastIndex((input) => asked.has(input));
  return 2 * Math.max(behind, ahead) < span ? null : new FollowedScan(found, order, next);
}

/**
 * A scan whose direction is known, and the rows that were read ahead. Rows sent ≤ an initial number + twice those used.
 */
export class FollowedScan {
  readonly #order: ScanOrder;
  #place: WindowPlace;
  #sent: number;
  #used = 0;
  #misses = 0;
  /** Rows that were read ahead, in the scan's order; those before `#at` are done. */
  #rows: string[];
  #at = 0;
  #max = FIRST_PREFETCHED;
  /** Index of the first answer that was prefetched since the last request. */
  #prefetchedFrom = 0;

  constructor(place: WindowPlace, order: ScanOrder, rows: string[]) {
    this.#place = place;
    this.#order = order;
    this.#rows = rows;
    this.#sent = rows.length;
  }

  /** The rows that the search found. */
  get rows(): readonly string[] {
    return this.#rows;
  }

  get isOrdered(): boolean {
    return this.#order !== 'none';
  }

  /** Whether more of its rows were used than may be computed in vain. */
  get hasPaidOff(): boolean {
    return this.#used > FIRST_ROWS;
  }

  /** Adds the next window; returns the rows to compute. */
  receive({ place, inputs }: SentRows): string[] {
    this.#place = placeOf(place);
    const rows = inputs.filter((input) => input !== null);
    if (this.#order === 'down') rows.reverse();
    this.#sent += rows.length;
    if (!this.isOrdered) return rows;
    this.#rows = [...this.#rows.slice(this.#at), ...rows];
    this.#at = 0;
    this.#prefetchedFrom = 0;
    return rows;
  }

  /** Whether the request may be the scan's next one. */
  expects(input: string): boolean {
    return this.isNext(input) || this.#prefetchedIndex(input) >= 0 || this.#rowsBefore(input) >= 0;
  }

  /** Whether it is exactly the next one, so that all prefetched answers were used. */
  isNext(input: string): boolean {
    return this.#rows[this.#at] === input;
  }

  /** Whether all rows that were read have been requested. */
  get isUsedUp(): boolean {
    return this.#at >= this.#rows.length;
  }

  /** Counts a request outside the scan. Returns false if the scan is to be abandoned. */
  miss(): boolean {
    return ++this.#misses <= MAX_MISSES;
  }

  /** Number of answers to prefetch with a reply. Each is sent once: a backend that discards them gets fewer. */
  get maxPrefetched(): number {
    return this.#max;
  }

  /** The next row, if its answer is known; it is then prefetched. */
  takeNext(recall: (input: string) => string | undefined): { input: string; label: string } | null {
    const input = this.#rows[this.#at];
    const label = input === undefined ? undefined : recall(input);
    if (input === undefined || label === undefined) return null;
    this.#at++;
    return { input, label };
  }

  /**
   * Advances to a request; rows skipped since the last one were left out by a filter. Returns false if the scan is to
   * be abandoned.
   */
  follow(input: string): boolean {
    const isNext = this.isNext(input);
    const again = isNext ? -1 : this.#prefetchedIndex(input);
    if (again >= 0) {
      // The backend did not use the prefetched answers.
      this.#at = this.#prefetchedFrom + again + 1;
      this.#prefetchedFrom = this.#at;
      this.#max >>= 1;
      return true;
    }
    const skipped = isNext ? 0 : this.#rowsBefore(input);
    if (skipped < 0) {
      if (this.isUsedUp) this.countPrefetched();
      return this.miss();
    }
    this.#misses = 0;
    this.#used += skipped === 0 ? this.#at - this.#prefetchedFrom + 1 : 1;
    this.#max = skipped === 0 ? Math.min(MAX_PREFETCHED, 2 * this.#max + 1) : this.#max >> 1;
    this.#at += skipped + 1;
    this.#prefetchedFrom = this.#at;
    return true;
  }

  /** All prefetched answers were used. */
  countPrefetched(): void {
    this.#used += this.#at - this.#prefetchedFrom;
    this.#prefetchedFrom = this.#at;
  }

  /** Whether the end of the table is reached and all rows were requested. */
  get isOver(): boolean {
    return this.#edge === '' && this.isUsedUp;
  }

  /** The next read request, or null. Rows are bounded by those used; without a direction, by the number of `calls`. */
  readRequest(queued: number, calls: number): string | null {
    if (this.#edge === '') return null;
    const allowed = this.isOrdered ? FIRST_ROWS + ROWS_PER_USED * this.#used : calls;
    const rows = Math.min(MAX_ROWS, allowed - this.#sent);
    const enough = Math.min(MAX_ROWS, Math.max(MIN_ROWS, this.#sent >> 1));
    if (queued >= LOW_WATER || rows < enough || this.#hasPlenty()) return null;
    const { column, low, high } = this.#place;
    return `${this.#order === 'down' ? '-' : '+'};${rows};${column};${low};${high}`;
  }

  /** The position from which the next rows are read. */
  get #edge(): string {
    return this.#order === 'down' ? this.#place.low : this.#place.high;
  }

  /** Index of the request among the prefetched answers, or -1. */
  #prefetchedIndex(input: string): number {
    return this.#rows.slice(this.#prefetchedFrom, this.#at).indexOf(input);
  }

  /** Number of rows skipped before the request, or -1. */
  #rowsBefore(input: string): number {
    return this.#rows.slice(this.#at, this.#at + SEARCH_ROWS).indexOf(input);
  }

  /** Whether enough rows wait for their requests. */
  #hasPlenty(): boolean {
    if (this.#rows.length - this.#at >= LOW_WATER) return true;
    let chars = 0;
    for (let i = this.#at; i < this.#rows.length; i++) chars += (this.#rows[i] as string).length;
    return chars >= MAX_CHARS;
  }
}

function placeOf(input: string): WindowPlace {
  const [relation = '', attribute = '', low = '', high = ''] = input.split(';');
  return { column: `${relation};${attribute}`, low, high };
}
