import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ArrayOfInputs } from '../../protocol/request.ts';
import type { Terms } from '../../protocol/terms.ts';
import type { ServedModel } from '../served-model.ts';
import type { SessionCalls } from './calls.ts';
import type { Deadline } from './deadline.ts';
import { checkReplySize, type Detail, detailOf } from './detail.ts';
import { longestFirst, PIECE_ROWS } from './longest-first.ts';

/** An array is asked in parts of this size, so many at a time: others' single rows do not wait for all of it. */
const PART_ROWS = 256;
const PARTS_AT_ONCE = 4;

type Texts = readonly (string | null)[];

/** Asks rows of an array together, and keeps their answers; whether anything had to be asked. */
type AskPart = (rows: Int32Array, deadline: Deadline) => Promise<boolean>;

/** The array forms of one session's calls. */
export class ArrayCalls {
  readonly #calls: SessionCalls;

  constructor(calls: SessionCalls) {
    this.#calls = calls;
  }

  async predict({ texts, ...asking }: ArrayOfInputs, terms: Terms): Promise<(string | null)[]> {
    const startedMs = this.#calls.nowMs();
    const first = await this.#calls.model(asking);
    const labels = new Array<string | null>(texts.length).fill(null);
    const { role } = asking;
    await this.#inParts(first, texts, this.#calls.deadline(first, terms, startedMs), (rows, deadline) =>
      this.#predictPart(this.#calls.current(first), { role, texts, labels, rows }, deadline),
    );
    return labels;
  }

  async detail({ texts, ...asking }: ArrayOfInputs, terms: Terms): Promise<(Detail | null)[]> {
    const startedMs = this.#calls.nowMs();
    const first = await this.#calls.model(asking);
    checkReplySize(first.row, texts.length);
    const details = new Array<Detail | null>(texts.length).fill(null);
    await this.#inParts(first, texts, this.#calls.deadline(first, terms, startedMs), async (rows, deadline) => {
      const model = this.#calls.current(first);
      const asked = Array.from(rows, (row) => texts[row] as string);
      const outcomes = await this.#calls.ask(model, { role: asking.role, texts: asked, wantsDetail: true, deadline });
      const ms = this.#calls.nowMs() - startedMs;
      const overdue = ms > deadline.budgetMs;
      for (const [i, row] of rows.entries()) {
        const outcome = outcomes[i];
        if (outcome) details[row] = detailOf(outcome, model, { ms, overdue });
      }
      return true;
    });
    return details;
  }

  /** Asks the rows of an array that are not null, long ones first, a few parts at a time, and counts the call. */
  async #inParts(model: ServedModel, texts: Texts, deadline: Deadline, ask: AskPart): Promise<void> {
    const rows = await inOrder(texts);
    let next = 0;
    const part = async (): Promise<void> => {
      while (next < rows.length) {
        const from = next;
        next = Math.min(rows.length, from + PART_ROWS);
        if (!(await ask(rows.subarray(from, next), deadline))) await nextTurn();
      }
    };
    try {
      await Promise.all(Array.from({ length: PARTS_AT_ONCE }, part));
    } finally {
      next = rows.length; // the other parts of a failed call ask no more
    }
    this.#calls.count(model, deadline, texts.length);
  }

  /** Whether anything had to be asked: what is known comes at once, and others shall have their turn in between. */
  async #predictPart(
    model: ServedModel,
    { texts, labels, rows, role }: { role: string; texts: Texts; labels: (string | null)[]; rows: Int32Array },
    deadline: Deadline,
  ): Promise<boolean> {
    const unknown: number[] = [];
    const asked: string[] = [];
    for (const row of rows) {
      const text = texts[row] as string;
      const cached = model.recall(text);
      if (cached === undefined) {
        unknown.push(row);
        asked.push(text);
      } else {
        model.stat.cached++;
        labels[row] = cached;
      }
    }
    const outcomes = await this.#calls.ask(model, { role, texts: asked, wantsDetail: false, deadline });
    for (const [i, row] of unknown.entries()) labels[row] = outcomes[i]?.answer ?? null;
    return asked.length > 0;
  }
}

/** Long texts first; of very many, piece by piece, and others have their turn in between. */
async function inOrder(texts: Texts): Promise<Int32Array> {
  if (texts.length <= PIECE_ROWS) return longestFirst(texts);
  const places = new Int32Array(texts.length);
  let rows = 0;
  for (let from = 0; from < texts.length; from += PIECE_ROWS) {
    for (const place of longestFirst(texts.slice(from, from + PIECE_ROWS))) places[rows++] = from + place;
    await nextTurn();
  }
  return places.subarray(0, rows);
}
