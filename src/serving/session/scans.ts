import { type ModelState, ReadAhead } from './read-ahead.ts';

/** Columns that one session reads ahead: more in one statement is not a scan. */
const MAX_SCANS = 8;

/** A column that requests to one model come from. */
export interface ColumnScan {
  readonly key: string;
  readonly ahead: ReadAhead;
  /** Larger than that of any scan whose turn was before. */
  turn: number;
}

/** The scans of one session: a statement may ask several models, and each of them about several columns, by turns. */
export class Scans {
  readonly #scans: ColumnScan[] = [];
  #current: ColumnScan | undefined;
  /** Whose rows come next. */
  #reading: ColumnScan | undefined;
  #turns = 0;

  /** One request to a model. Returns what the database shall read for that column or another one of the same model, or null. */
  request(
    key: string,
    { statement, input, state }: { statement: string; input: string; state: ModelState },
  ): string | null {
    const own = this.#scans.filter((scan) => scan.key === key);
    const following = own.filter(({ ahead }) => ahead.isFollowing && ahead.statement === statement);
    const expecting =
      following.find(({ ahead }) => ahead.expects(input)) ?? firstInTurn(following, ({ ahead }) => ahead.isUsedUp);
    if (expecting === undefined) for (const { ahead } of following) ahead.missed();
    const scan = expecting ?? own.find((each) => !following.includes(each)) ?? this.#add(key);
    this.answered(scan);
    this.#current = scan;
    const inTurn = expecting?.ahead.isNext(input) === true;
    let readRequest = this.#readRequest(scan, scan.ahead.request(statement, input, state));
    if (inTurn) for (const other of following) readRequest ??= this.#readRequest(other, other.ahead.more(state.queued));
    return readRequest;
  }

  /** The database sent the rows of the last read request. Gives the rows to compute, as {@link ReadAhead.received} does. */
  received(key: string, place: string, inputs: readonly (string | null)[]): readonly string[] {
    const scan = this.#reading;
    this.#reading = undefined;
    return scan?.key === key ? scan.ahead.received(place, inputs) : [];
  }

  /** The scan of the last request, if what comes after it is known. */
  get current(): ReadAhead | undefined {
    return this.#current?.ahead.isFollowing === true ? this.#current.ahead : undefined;
  }

  /** Whose turn is next in a statement: the scan that was not asked for the longest time. */
  next(statement: string): ColumnScan | undefined {
    return firstInTurn(this.#scans, ({ ahead }) => ahead.statement === statement && ahead.isFollowing);
  }

  /** A row of the scan has its answer, asked or not: the others' turns come first. */
  answered(scan: ColumnScan): void {
    scan.turn = ++this.#turns;
  }

  clear(): void {
    this.#scans.length = 0;
    this.#current = undefined;
    this.#reading = undefined;
  }

  #readRequest(scan: ColumnScan, readRequest: string | null): string | null {
    if (readRequest !== null) this.#reading = scan;
    return readRequest;
  }

  #add(key: string): ColumnScan {
    if (this.#scans.length >= MAX_SCANS) this.#scans.shift();
    const scan = { key, ahead: new ReadAhead(), turn: 0 };
    this.#scans.push(scan);
    return scan;
  }
}

/** The one that was not asked for the longest time. */
function firstInTurn(scans: readonly ColumnScan[], fits: (scan: ColumnScan) => boolean): ColumnScan | undefined {
  let first: ColumnScan | undefined;
  for (const scan of scans) if (fits(scan) && (first === undefined || scan.turn < first.turn)) first = scan;
  return first;
}
