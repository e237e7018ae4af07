/** So many requests of one statement that the server did not know start reading ahead. */
const TRIGGER_MISSES = 8;
/** So many requests start it even if all were known: answers that travel along are worth it too. */
const TRIGGER_WATCHED = 64;
/** Where reading ahead brought nothing, the scan is looked for again after so many times the requests. */
const PATIENCE = 8;
/** Rows looked through for each request that was asked: a search must stay cheap beside them. */
const SEARCHED_PER_CALL = 64;
/** The last requests, by which the order of the scan is known. */
const REMEMBERED_QUESTIONS = 8;

/** Rows that may be computed for nothing. */
const FIRST_ROWS = 64;
/** In a scan that leaves out less than half of the rows, as many rows more as it has used: windows double. */
const ROWS_PER_USED = 2;
/** Four of the largest batches. */
const MOST_ROWS = 1024;
/** A window is worth its way when it is so long, or half of all before it. */
const LEAST_ROWS = 32;
/** Fewer rows than this waiting, for their answers or for their requests: time to fetch more. */
const LOW_WATER = 512;
/** And no more characters than this: images are long. */
const MOST_CHARS = 16 * 1024 * 1024;

/** Answers that go along with one reply: at first so many that little is lost unused. */
const FIRST_PREFETCHED = 16;
/** The most of them: the round trip is a small part of what their rows cost a backend. */
const MOST_PREFETCHED = 128;
/** A filter may skip rows: the next request is looked for so far down the scan. */
const LOOK_DOWN_ROWS = 256;
/** After so many requests from elsewhere the scan is lost. */
const LOST_QUESTIONS = 16;

/** What a request meets. */
export interface ModelState {
  /** Whether its answer is there or on its way. */
  known: boolean;
  /** Rows read ahead that still wait for their answers. */
  queued: number;
  /** Whether rows may be computed for nothing. */
  batchesPay: boolean;
}

/** A part of a table's column that was read: relation, column, and the places before and after it, '' at the table's ends. */
interface WindowPlace {
  column: string;
  low: string;
  high: string;
}

type ScanOrder = 'up' | 'down' | 'none';

/**
 * Reading ahead for one column in one session: when the plain form `select rafiki_predict(m, col) from t` asks row by row, the
 * database is told to send rows that come next, and answers that are there travel along with the reply to an earlier row.
 *
 * It begins with a look: the rows around the one that was asked. Where the last requests lie among them tells in which
 * order the scan goes, or that it leaves most rows out and nothing is to be gained. From then on one rule bounds the waste:
 * rows sent ≤ a first few + twice those used.
 *
 * A read request is `?;rows`, find the row among so many, or `+;rows;place` or `-;rows;place`, the rows after or before a place.
 */
export class ReadAhead {
  #statement = '';
  #state: 'watching' | 'looking' | 'reading' | 'fetching' = 'watching';
  #calls = 0;
  /** Requests since the scan is looked for, and those that were not known. */
  #watched = 0;
  #misses = 0;
  #nextLook = 0;
  #recent: string[] = [];

  #place: WindowPlace = { column: '', low: '', high: '' };
  #order: ScanOrder = 'up';
  #followsAny = false;
  #sent = 0;
  #used = 0;
  #lost = 0;
  /** Rows of the scan that were read ahead, in its order; those before `#at` are done with. */
  #rows: string[] = [];
  #at = 0;
  #most = FIRST_PREFETCHED;
  /** Where the answers began that went along since the last request. */
  #prefetchedFrom = 0;

  /** One request. Returns what the database shall read, or null. */
  request(statement: string, text: string, { known, queued, batchesPay }: ModelState): string | null {
    if (statement !== this.#statement) this.#begin(statement);
    this.#calls++;
    if (this.#state === 'reading' && this.#order !== 'none') this.#follow(text);
    if (this.#state === 'reading') return this.#fetch(queued);
    if (this.#state !== 'watching') return null;
    this.#watched++;
    if (!known) this.#misses++;
    if ((this.#misses >= TRIGGER_MISSES || this.#watched >= TRIGGER_WATCHED) && this.#calls >= this.#nextLook) {
      this.#state = 'looking';
      this.#followsAny = batchesPay;
      this.#nextLook = PATIENCE * this.#calls;
      return `?;${SEARCHED_PER_CALL * this.#calls}`;
    }
    if (text.length <= MOST_CHARS / REMEMBERED_QUESTIONS) this.#recent.push(text);
    if (this.#recent.length > REMEMBERED_QUESTIONS) this.#recent.shift();
    return null;
  }

  /**
   * The database sent the rows of a place, in the table's order; after a look, null stands for the row asked. Gives those to
   * compute, in the scan's order. An empty place: there are none.
   */
  received(place: string, texts: readonly (string | null)[]): string[] {
    const looked = this.#state === 'looking';
    this.#state = 'reading';
    const [relation = '', attribute = '', low = '', high = ''] = place.split(';');
    this.#place = { column: `${relation};${attribute}`, low, high };
    if (place === '') return this.#stop();
    const rows = looked ? this.#orient(texts) : texts.filter((text) => text !== null);
    if (rows === null) return this.#stop();
    if (!looked && this.#order === 'down') rows.reverse();
    this.#sent += rows.length;
    if (this.#order === 'none') return rows;
    this.#rows = [...this.#rows.slice(this.#at), ...rows];
    this.#at = 0;
    this.#prefetchedFrom = 0;
    return rows;
  }

  get statement(): string {
    return this.#statement;
  }

  /** Whether it knows what will be asked next. */
  get isFollowing(): boolean {
    return this.#state === 'reading' && this.#order !== 'none';
  }

  /** Whether a request is one that the scan can come to next. */
  expects(text: string): boolean {
    return this.isNext(text) || this.#again(text) >= 0 || this.#ahead(text) >= 0;
  }

  /** Whether it is the very next, so that whatever went along was used. */
  isNext(text: string): boolean {
    return this.#rows[this.#at] === text;
  }

  /** Whether all rows that were read have been asked. */
  get isUsedUp(): boolean {
    return this.#at >= this.#rows.length;
  }

  /** What the database shall read while another column is asked, all of whose answers that went along were used; or null. */
  more(queued: number): string | null {
    if (!this.isFollowing) return null;
    this.#countAlong();
    return this.#fetch(queued);
  }

  /** A request came from elsewhere; after so many in a row the scan is over. */
  missed(): void {
    if (++this.#lost > LOST_QUESTIONS) this.#stop();
  }

  /** How many answers may go along with the reply to a request. Each goes once: whoever throws them away gets fewer. */
  get mostPrefetched(): number {
    return this.#most;
  }

  /** The row that comes next goes along with a reply, where its answer is known. */
  takeNext(recall: (text: string) => string | undefined): { text: string; label: string } | null {
    const text = this.#rows[this.#at];
    const label = text === undefined ? undefined : recall(text);
    if (text === undefined || label === undefined) return null;
    this.#at++;
    this.#calls++;
    return { text, label };
  }

  #begin(statement: string): void {
    this.#statement = statement;
    this.#stop();
    this.#calls = 0;
    this.#nextLook = 0;
  }

  #stop(): [] {
    if (this.#used > FIRST_ROWS) this.#nextLook = this.#calls; // it may go on elsewhere
    this.#state = 'watching';
    this.#watched = 0;
    this.#misses = 0;
    this.#recent = [];
    this.#sent = 0;
    this.#used = 0;
    this.#lost = 0;
    this.#rows = [];
    this.#at = 0;
    this.#prefetchedFrom = 0;
    this.#most = FIRST_PREFETCHED;
    return [];
  }

  /** Which way the scan goes, and the rows that come next; null where nothing is to be gained. */
  #orient(texts: readonly (string | null)[]): string[] | null {
    const here = texts.indexOf(null);
    const asked = new Set(this.#recent);
    const before = texts
      .slice(0, here)
      .filter((text) => text !== null)
      .reverse();
    const after = texts.slice(here + 1).filter((text) => text !== null);
    const behind = before.filter((text) => asked.has(text)).length;
    const ahead = after.filter((text) => asked.has(text)).length;
    this.#order = behind > ahead ? 'up' : behind < ahead ? 'down' : 'none';
    if (this.#order === 'none') {
      if (!this.#followsAny) return null;
      this.#place = { ...this.#place, low: '', high: '(0,0)' };
      return [];
    }
    const past = this.#order === 'up' ? before : after;
    const span = 1 + past.findLastIndex((text) => asked.has(text));
    const found = Math.max(behind, ahead);
    return 2 * found < span ? null : this.#order === 'up' ? after : before;
  }

  /** Where the request stands in the scan: what was passed over since the last one was left out by a filter. */
  #follow(text: string): void {
    const isNext = this.isNext(text);
    const again = isNext ? -1 : this.#again(text);
    if (again >= 0) {
      // the backend did not use what went along
      this.#at = this.#prefetchedFrom + again + 1;
      this.#prefetchedFrom = this.#at;
      this.#most >>= 1;
      return;
    }
    const skipped = isNext ? 0 : this.#ahead(text);
    if (skipped < 0) {
      if (this.isUsedUp) this.#countAlong();
      this.missed();
      return;
    }
    this.#lost = 0;
    this.#used += skipped === 0 ? this.#at - this.#prefetchedFrom + 1 : 1;
    this.#most = skipped === 0 ? Math.min(MOST_PREFETCHED, 2 * this.#most + 1) : this.#most >> 1;
    this.#at += skipped + 1;
    this.#prefetchedFrom = this.#at;
  }

  /** What went along was used. */
  #countAlong(): void {
    this.#used += this.#at - this.#prefetchedFrom;
    this.#prefetchedFrom = this.#at;
  }

  /** Which of the answers that went along it asks for. */
  #again(text: string): number {
    return this.#rows.slice(this.#prefetchedFrom, this.#at).indexOf(text);
  }

  /** How many rows are passed over before it comes. */
  #ahead(text: string): number {
    return this.#rows.slice(this.#at, this.#at + LOOK_DOWN_ROWS).indexOf(text);
  }

  #fetch(queued: number): string | null {
    const { column, low, high } = this.#place;
    const down = this.#order === 'down';
    if ((down ? low : high) === '') {
      if (this.#at >= this.#rows.length) this.#stop();
      return null;
    }
    // without an order nobody knows what was used: as many as were asked
    const allowed = this.#order === 'none' ? this.#calls : FIRST_ROWS + ROWS_PER_USED * this.#used;
    const rows = Math.min(MOST_ROWS, allowed - this.#sent);
    const enough = Math.min(MOST_ROWS, Math.max(LEAST_ROWS, this.#sent >> 1));
    if (queued >= LOW_WATER || rows < enough || this.#hasPlenty()) return null;
    this.#state = 'fetching';
    return `${down ? '-' : '+'};${rows};${column};${low};${high}`;
  }

  /** Whether enough rows wait for their requests. */
  #hasPlenty(): boolean {
    if (this.#rows.length - this.#at >= LOW_WATER) return true;
    let chars = 0;
    for (let i = this.#at; i < this.#rows.length; i++) chars += (this.#rows[i] as string).length;
    return chars >= MOST_CHARS;
  }
}
