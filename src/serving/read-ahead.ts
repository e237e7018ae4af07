/** So many questions of one statement that the server did not know start reading ahead. */
const TRIGGER_MISSES = 8;
/** Rows that may be read ahead: a start, and then in proportion to what the statement really asked. */
const FIRST_ROWS = 1024;
const ROWS_PER_CALL = 8;
/** Fewer rows than this waiting: time to fetch more. */
const LOW_WATER = 256;
/** After so many calls it shows whether what was read is what is asked. */
const JUDGED_CALLS = 1000;
const LEAST_USEFUL = 0.02;

/**
 * Reading ahead for one session: when the plain form `select rafiki_predict(m, col) from t` asks row by row, the database is
 * told to send the next rows of the scan. Knows nothing but counts; a new statement starts anew.
 */
export class ReadAhead {
  #statement = '';
  #calls = 0;
  #misses = 0;
  #rowsSent = 0;
  #state: 'off' | 'watching' | 'asked' | 'reading' = 'off';
  #next = '';
  #callsSinceStart = 0;
  #hitsSinceStart = 0;

  /**
   * One question: `known` says whether its answer was there or on its way, `queued` how many rows read ahead still wait.
   * Returns where the database shall read on ('' is where the scan stands), or null to read nothing.
   */
  question(statement: string, { known, queued }: { known: boolean; queued: number }): string | null {
    if (statement === '') return null;
    if (statement !== this.#statement) this.#begin(statement);
    this.#calls++;
    if (!known) this.#misses++;
    if (this.#state === 'watching') {
      if (this.#misses < TRIGGER_MISSES) return null;
      this.#state = 'asked';
      return '';
    }
    if (this.#state !== 'reading') return null;
    this.#callsSinceStart++;
    if (known) this.#hitsSinceStart++;
    if (this.#useless()) this.#state = 'off';
    else if (queued < LOW_WATER && this.#rowsSent < FIRST_ROWS + ROWS_PER_CALL * this.#calls) {
      this.#state = 'asked';
      return this.#next;
    }
    return null;
  }

  /** The database sent `rows` and says where it would go on; '' when there is nothing more, or it found no scan. */
  received(rows: number, next: string): void {
    this.#rowsSent += rows;
    this.#next = next;
    this.#state = next === '' ? 'off' : 'reading';
  }

  #begin(statement: string): void {
    this.#statement = statement;
    this.#state = 'watching';
    this.#calls = 0;
    this.#misses = 0;
    this.#rowsSent = 0;
    this.#callsSinceStart = 0;
    this.#hitsSinceStart = 0;
  }

  #useless(): boolean {
    return this.#callsSinceStart >= JUDGED_CALLS && this.#hitsSinceStart < LEAST_USEFUL * this.#callsSinceStart;
  }
}
