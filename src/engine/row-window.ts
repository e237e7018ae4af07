/** The rows of a table that a run of K steps uses, and the position of each step's rows. */
export interface Window {
  /** Global row of each entry; entry 0 is row 0, the padding. */
  rows: Int32Array;
  /** [K, N]: the entries that step k uses, padded with 0. */
  perStep: Int32Array;
  /** N. */
  width: number;
}

/**
 * Maps row numbers of a large table to small ones in two stages: the run gathers only the rows that its steps use, and
 * each step updates only those of its batch. Ids are replaced in place by positions among the step's rows.
 */
export class RowWindow {
  readonly #runEntry: Int32Array;
  readonly #stepEntry: Int32Array;

  constructor(tableRows: number) {
    this.#runEntry = new Int32Array(tableRows);
    this.#stepEntry = new Int32Array(tableRows);
  }

  /**
   * `ids` of K steps, step k from bounds[2k] to bounds[2k + 1]: before the call rows of the table, afterwards
   * positions.
   */
  localise(ids: Int32Array, bounds: Int32Array): Window {
    const steps = bounds.length / 2;
    const rows: number[] = [0];
    const parts = Array.from({ length: steps }, (_, k) => {
      const stepRows = this.#localiseStep(ids.subarray(bounds[2 * k], bounds[2 * k + 1]));
      for (const row of stepRows) this.#stepEntry[row] = 0;
      return stepRows.map((row) => this.#entryOf(row, rows));
    });
    for (const row of rows) this.#runEntry[row] = 0;

    const width = Math.max(...parts.map((part) => part.length));
    const perStep = new Int32Array(steps * width);
    parts.forEach((part, k) => {
      perStep.set(part, k * width);
    });
    return { rows: Int32Array.from(rows), perStep, width };
  }

  /** Distinct rows of a step in order of appearance, row 0 first. */
  #localiseStep(ids: Int32Array): number[] {
    const stepRows = [0];
    for (let i = 0; i < ids.length; i++) {
      const row = ids[i] as number;
      if (row === 0) continue;
      let entry = this.#stepEntry[row] as number;
      if (entry === 0) {
        entry = stepRows.push(row) - 1;
        this.#stepEntry[row] = entry;
      }
      ids[i] = entry;
    }
    return stepRows;
  }

  #entryOf(row: number, rows: number[]): number {
    if (row === 0) return 0;
    const existing = this.#runEntry[row] as number;
    if (existing !== 0) return existing;
    const entry = rows.push(row) - 1;
    this.#runEntry[row] = entry;
    return entry;
  }
}
