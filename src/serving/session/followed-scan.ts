/** Rows that may be computed for nothing. */
const FIRST_ROWS = 64;
/** In a scan that leaves out less than half of the rows, as many rows more as it has used: windows double. */
const ROWS_PER_USED = 2;
/** Four of the largest batches. */
const MAX_ROWS = 1024;
/** A window is worth its way when it is so long, or half of all before it. */
const LEAST_ROWS = 32;
/** Fewer rows than this waiting, for their answers or for their requests: time to fetch more. */
const LOW_WATER = 512;
/** And no more characters than this: images are long. */
export const MAX_CHARS = 16 * 1024 * 1024;

/** Answers that are prefetched with one reply: at first so many that little is lost unused. */
export const FIRST_PREFETCHED = 16;
/** The most of them: the round trip is a small part of what their rows cost a backend. */
const MAX_PREFETCHED = 128;
/** A filter may skip rows: the next request is looked for so far down the scan. */
const LOOK_DOWN_ROWS = 256;
/** After so many requests from elsewhere the scan is lost. */
const LOST_REQUESTS = 16;

/** A part of a table's column that was read: relation, column, and the places before and after it, '' at the table's ends. */
interface WindowPlace {
  column: string;
  low: string;
  high: string;
}

type ScanOrder = 'up' | 'down' | 'none';

/** What the database sent: a place, and its texts in the table's order. */
interface SentRows {
  place: string;
  inputs: readonly (string | null)[];
}

/**
 * The scan that the last requests are part of, found by a look: the rows around the one that was asked (null). Where the requests
 * before it lie among them tells in which order the scan goes, or that it leaves most rows out and nothing is to be gained: null.
 * Without an order it is followed only where rows may be computed for nothing.
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

/** A scan whose order is known, and the rows of it that were read ahead. Rows sent ≤ a first few + twice those used. */
export class FollowedScan {
  readonly #order: ScanOrder;
  #place: WindowPlace;
  #sent: number;
  #used = 0;
  #lost = 0;
  /** Rows that were read ahead, in the scan's order; those before `#at` are done with. */
  #rows: string[];
  #at = 0;
  #max = FIRST_PREFETCHED;
  /** Where the answers began that were prefetched since the last request. */
  #prefetchedFrom = 0;

  constructor(place: WindowPlace, order: ScanOrder, rows: string[]) {
    this.#place = place;
    this.#order = order;
    this.#rows = rows;
    this.#sent = rows.length;
  }

  /** Those that were found by the look. */
  get rows(): readonly string[] {
    return this.#rows;
  }

  get isOrdered(): boolean {
    return this.#order !== 'none';
  }

  /** Whether more of its rows were used than may be computed for nothing. */
  get paid(): boolean {
    return this.#used > FIRST_ROWS;
  }

  /** The next rows, of which it gives those to compute. */
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

  /** Whether a request is one that the scan can come to next. */
  expects(input: string): boolean {
    return this.isNext(input) || this.#again(input) >= 0 || this.#ahead(input) >= 0;
  }

  /** Whether it is the very next, so that whatever was prefetched was used. */
  isNext(input: string): boolean {
    return this.#rows[this.#at] === input;
  }

  /** Whether all rows that were read have been asked. */
  get isUsedUp(): boolean {
    return this.#at >= this.#rows.length;
  }

  /** A request came from elsewhere; false where so many did that the scan is lost. */
  miss(): boolean {
    return ++this.#lost <= LOST_REQUESTS;
  }

  /** How many answers may be prefetched with the reply to a request. Each goes once: whoever throws them away gets fewer. */
  get maxPrefetched(): number {
    return this.#max;
  }

  /** The row that comes next, where its answer is known: it is prefetched. */
  takeNext(recall: (input: string) => string | undefined): { input: string; label: string } | null {
    const input = this.#rows[this.#at];
    const label = input === undefined ? undefined : recall(input);
    if (input === undefined || label === undefined) return null;
    this.#at++;
    return { input, label };
  }

  /** Where a request stands in the scan: what was passed over since the last one was left out by a filter. False where it is lost. */
  follow(input: string): boolean {
    const isNext = this.isNext(input);
    const again = isNext ? -1 : this.#again(input);
    if (again >= 0) {
      // the backend did not use what was prefetched
      this.#at = this.#prefetchedFrom + again + 1;
      this.#prefetchedFrom = this.#at;
      this.#max >>= 1;
      return true;
    }
    const skipped = isNext ? 0 : this.#ahead(input);
    if (skipped < 0) {
      if (this.isUsedUp) this.countPrefetched();
      return this.miss();
    }
    this.#lost = 0;
    this.#used += skipped === 0 ? this.#at - this.#prefetchedFrom + 1 : 1;
    this.#max = skipped === 0 ? Math.min(MAX_PREFETCHED, 2 * this.#max + 1) : this.#max >> 1;
    this.#at += skipped + 1;
    this.#prefetchedFrom = this.#at;
    return true;
  }

  /** What was prefetched was used. */
  countPrefetched(): void {
    this.#used += this.#at - this.#prefetchedFrom;
    this.#prefetchedFrom = this.#at;
  }

  /** Whether the table's end was reached, and all before it asked. */
  get isOver(): boolean {
    return this.#edge === '' && this.isUsedUp;
  }

  /** What the database shall read next, or null: rows are bounded by those used, without an order by the `calls` that were made. */
  readRequest(queued: number, calls: number): string | null {
    if (this.#edge === '') return null;
    const allowed = this.isOrdered ? FIRST_ROWS + ROWS_PER_USED * this.#used : calls;
    const rows = Math.min(MAX_ROWS, allowed - this.#sent);
    const enough = Math.min(MAX_ROWS, Math.max(LEAST_ROWS, this.#sent >> 1));
    if (queued >= LOW_WATER || rows < enough || this.#hasPlenty()) return null;
    const { column, low, high } = this.#place;
    return `${this.#order === 'down' ? '-' : '+'};${rows};${column};${low};${high}`;
  }

  /** The place where rows come next. */
  get #edge(): string {
    return this.#order === 'down' ? this.#place.low : this.#place.high;
  }

  /** Which of the answers that were prefetched it asks for. */
  #again(input: string): number {
    return this.#rows.slice(this.#prefetchedFrom, this.#at).indexOf(input);
  }

  /** How many rows are passed over before it comes. */
  #ahead(input: string): number {
    return this.#rows.slice(this.#at, this.#at + LOOK_DOWN_ROWS).indexOf(input);
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
