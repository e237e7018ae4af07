/** So many questions of one statement that the server did not know start reading ahead. */
const TRIGGER_MISSES = 8;
/** So many questions start it even if all were known: answers that travel along are worth it too. */
const TRIGGER_CALLS = 64;
/** Rows that may be read ahead: a start, and then in proportion to what the statement really asked. */
const FIRST_ROWS = 1024;
const ROWS_PER_CALL = 8;
/** Fewer rows than this waiting: time to fetch more. */
const LOW_WATER = 256;
/** After so many calls it shows whether what was read is what is asked. */
const JUDGED_CALLS = 1000;
const LEAST_USEFUL = 0.02;

/** Answers that go along with one reply; at 32 the round trip is a small part of a row's cost, and little is lost unused. */
const MOST_ALONG = 32;
/** Along fewer than this nothing is gained. */
const LEAST_ALONG = 4;
/** A filter may skip rows: the next question is looked for so far down the scan. */
const LOOK_DOWN_ROWS = 256;

/** Rows of the scan that are remembered; one that is further back was left out by a filter long ago. */
const MOST_REMEMBERED = 8192;
/** And so many characters: images are long. */
const MOST_CHARS = 16 * 1024 * 1024;

/** An answer that goes along with another's reply. */
export interface Along {
  text: string;
  label: string;
}

/**
 * Reading ahead for one session: when the plain form `select rafiki_predict(m, col) from t` asks row by row, the database is
 * told to send the next rows of the scan, and answers that are there travel along with the reply to an earlier row. Knows
 * nothing but the order of rows and counts; a new statement starts anew.
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
  /** Rows of the scan that were read ahead, in its order; those before `#at` are done with. */
  #rows: string[] = [];
  #at = 0;
  #most = MOST_ALONG;
  /** Where the answers of the last reply began. */
  #alongFrom = 0;

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
      if (this.#misses < TRIGGER_MISSES && this.#calls < TRIGGER_CALLS) return null;
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

  /** The database sent these rows and says where it would go on; '' when there is nothing more, or it found no scan. */
  received(texts: readonly string[], next: string): void {
    this.#rowsSent += texts.length;
    this.#next = next;
    this.#state = next === '' ? 'off' : 'reading';
    this.#rows = remembered([...this.#rows.slice(this.#at), ...texts]);
    this.#at = 0;
    this.#alongFrom = 0;
  }

  /** The rows after `text`, as far as their answers are known. Each travels once: whoever throws them away gets fewer. */
  along(text: string, recall: (text: string) => string | undefined): Along[] {
    if (this.#most < LEAST_ALONG || this.#rows.length === 0) return [];
    if (this.#rows.slice(this.#alongFrom, this.#at).includes(text)) this.#most >>= 1;
    const found = this.#rows.slice(this.#at, this.#at + LOOK_DOWN_ROWS).indexOf(text);
    if (found < 0) return [];
    this.#at += found + 1;
    this.#alongFrom = this.#at;
    const answers: Along[] = [];
    while (answers.length < this.#most) {
      const next = this.#rows[this.#at];
      const label = next === undefined ? undefined : recall(next);
      if (next === undefined || label === undefined) break;
      answers.push({ text: next, label });
      this.#at++;
    }
    this.#calls += answers.length;
    return answers;
  }

  #begin(statement: string): void {
    this.#statement = statement;
    this.#state = 'watching';
    this.#calls = 0;
    this.#misses = 0;
    this.#rowsSent = 0;
    this.#callsSinceStart = 0;
    this.#hitsSinceStart = 0;
    this.#rows = [];
    this.#at = 0;
    this.#alongFrom = 0;
    this.#most = MOST_ALONG;
  }

  #useless(): boolean {
    return this.#callsSinceStart >= JUDGED_CALLS && this.#hitsSinceStart < LEAST_USEFUL * this.#callsSinceStart;
  }
}

/** The last rows, as far as they may be kept. */
function remembered(rows: readonly string[]): string[] {
  let from = rows.length;
  let chars = 0;
  while (from > 0 && rows.length - from < MOST_REMEMBERED) {
    chars += rows[from - 1]?.length ?? 0;
    if (chars > MOST_CHARS) break;
    from--;
  }
  return rows.slice(from);
}
