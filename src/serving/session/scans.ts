import { type ModelState, ReadAhead } from './read-ahead.ts';

/** Limit of the columns per session; a statement with more is not a scan. */
const MAX_COLUMN_SCANS = 8;

/** The scan of a column whose rows go to one model. */
export interface ColumnScan {
  readonly key: string;
  readonly ahead: ReadAhead;
  /** Higher than that of every scan that had its turn before. */
  turn: number;
}

/** One session's scans: a statement may use several models, and several columns per model, in turn. */
export class Scans {
  readonly #scans: ColumnScan[] = [];
  #current: ColumnScan | undefined;
  /** The scan that requested the next rows. */
  #reading: ColumnScan | undefined;
  #turns = 0;

  /** Handles a request. Returns a read request, for this or another column of the same model, or null. */
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
    if (inTurn)
      for (const other of following) readRequest ??= this.#readRequest(other, other.ahead.readRequest(state.queued));
    return readRequest;
  }

  /** Handles the rows of the last read request. Returns the rows to compute, as does {@link ReadAhead.received}. */
  received(key: string, place: string, inputs: readonly (string | null)[]): readonly string[] {
    const scan = this.#reading;
    this.#reading = undefined;
    return scan?.key === key ? scan.ahead.received(place, inputs) : [];
  }

  /** The scan of the last request, if its next requests are known. */
  get current(): ReadAhead | undefined {
    return this.#current?.ahead.isFollowing === true ? this.#current.ahead : undefined;
  }

  /** The scan of a statement that has waited longest for its turn. */
  next(statement: string): ColumnScan | undefined {
    return firstInTurn(this.#scans, ({ ahead }) => ahead.statement === statement && ahead.isFollowing);
  }

  /** A row of the scan is answered: the other scans' turns come first. */
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
    if (this.#scans.length >= MAX_COLUMN_SCANS) this.#scans.shift();
    const scan = { key, ahead: new ReadAhead(), turn: 0 };
    this.#scans.push(scan);
    return scan;
  }
}

/** The scan that has waited longest for its turn. */
function firstInTurn(scans: readonly ColumnScan[], fits: (scan: ColumnScan) => boolean): ColumnScan | undefined {
  let first: ColumnScan | undefined;
  for (const scan of scans) if (fits(scan) && (first === undefined || scan.turn < first.turn)) first = scan;
  return first;
}
