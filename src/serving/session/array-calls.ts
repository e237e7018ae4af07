import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ArrayInputs } from '../../protocol/request.ts';
import type { ServedModel } from '../served-model.ts';
import type { SessionCalls } from './calls.ts';
import type { Deadline, TracedTerms } from './deadline.ts';
import { checkReplySize, type Detail, detailOf } from './detail.ts';
import { longestFirst, PIECE_ROWS } from './longest-first.ts';

/**
 * An array is computed in parts of this size, a few of them concurrently: other sessions' single rows need not wait for
 * all of it.
 */
const PART_ROWS = 256;
const CONCURRENT_PARTS = 4;
/**
 * If none of so many rows of a part is in the cache, the others are not looked for: looking for each takes as long as predicting it with a small
 * model. Of a part of which a tenth is cached, this overlooks it once in thirty times.
 */
const SAMPLED_ROWS = 32;

type Inputs = readonly (string | null)[];

/** Computes rows of an array and stores their answers, until the signal aborts; returns whether any row was not cached. */
type AskPart = (rows: Int32Array, deadline: Deadline, signal: AbortSignal) => Promise<boolean>;

/** The array forms of one session's calls. */
export class ArrayCalls {
  readonly #calls: SessionCalls;

  constructor(calls: SessionCalls) {
    this.#calls = calls;
  }

  async predict({ inputs, ...request }: ArrayInputs, latency: TracedTerms): Promise<(string | null)[]> {
    const startedMs = this.#calls.nowMs();
    const first = await this.#calls.model(request);
    const labels = new Array<string | null>(inputs.length).fill(null);
    const { role } = request;
    await this.#inParts(first, inputs, this.#calls.deadline(first, latency, startedMs), (rows, deadline, signal) =>
      this.#predictPart(this.#calls.current(first), { role, inputs, labels, rows }, { deadline, signal }),
    );
    return labels;
  }

  async detail({ inputs, ...request }: ArrayInputs, latency: TracedTerms): Promise<(Detail | null)[]> {
    const startedMs = this.#calls.nowMs();
    const first = await this.#calls.model(request);
    checkReplySize(first.row, inputs.length);
    const details = new Array<Detail | null>(inputs.length).fill(null);
    await this.#inParts(
      first,
      inputs,
      this.#calls.deadline(first, latency, startedMs),
      async (rows, deadline, signal) => {
        const model = this.#calls.current(first);
        const asked = Array.from(rows, (row) => inputs[row] as string);
        const outcomes = await this.#calls.ask(model, {
          ...{ role: request.role, inputs: asked, wantsDetail: true },
          ...{ deadline, signal },
        });
        const ms = this.#calls.nowMs() - startedMs;
        const overdue = ms > deadline.budgetMs;
        for (const [i, row] of rows.entries()) {
          const outcome = outcomes[i];
          if (outcome) details[row] = detailOf(outcome, model, { ms, overdue });
        }
        return true;
      },
    );
    return details;
  }

  /** Computes the rows that are not null, long ones first, a few parts at a time, and counts the call. */
  async #inParts(model: ServedModel, inputs: Inputs, deadline: Deadline, ask: AskPart): Promise<void> {
    const rows = await inOrder(inputs);
    let next = 0;
    const failed = new AbortController();
    const part = async (): Promise<void> => {
      while (next < rows.length) {
        const from = next;
        next = Math.min(rows.length, from + PART_ROWS);
        if (!(await ask(rows.subarray(from, next), deadline, failed.signal))) await nextTurn();
      }
    };
    try {
      await Promise.all(Array.from({ length: CONCURRENT_PARTS }, part));
    } catch (error) {
      next = rows.length;
      failed.abort(error); // nobody needs the parts that are being computed
      throw error;
    }
    this.#calls.count(model, deadline, inputs.length);
  }

  /**
   * Returns whether any row was not cached: cached parts need no waiting, and the event loop must serve others in
   * between.
   */
  async #predictPart(
    model: ServedModel,
    { inputs, labels, rows, role }: { role: string; inputs: Inputs; labels: (string | null)[]; rows: Int32Array },
    { deadline, signal }: { deadline: Deadline; signal: AbortSignal },
  ): Promise<boolean> {
    const mayBeCached = sampleOf(rows).some((row) => model.recall(inputs[row] as string) !== undefined);
    const unknown: number[] = [];
    const asked: string[] = [];
    for (const row of rows) {
      const input = inputs[row] as string;
      const cached = mayBeCached ? model.recall(input) : undefined;
      if (cached === undefined) {
        unknown.push(row);
        asked.push(input);
      } else {
        model.stat.cached++;
        labels[row] = cached;
      }
    }
    const outcomes = await this.#calls.ask(model, { role, inputs: asked, wantsDetail: false, deadline, signal });
    for (const [i, row] of unknown.entries()) labels[row] = outcomes[i]?.answer ?? null;
    return asked.length > 0;
  }
}

/** Rows from everywhere in a part, because it begins with its longest ones. */
const sampleOf = (rows: Int32Array): Int32Array => {
  const stride = Math.ceil(rows.length / SAMPLED_ROWS);
  return rows.filter((_, i) => i % stride === 0);
};

/** Longest first. Very long arrays are sorted in pieces, and the event loop serves others in between. */
async function inOrder(inputs: Inputs): Promise<Int32Array> {
  if (inputs.length <= PIECE_ROWS) return longestFirst(inputs);
  const places = new Int32Array(inputs.length);
  let rows = 0;
  for (let from = 0; from < inputs.length; from += PIECE_ROWS) {
    for (const place of longestFirst(inputs.slice(from, from + PIECE_ROWS))) places[rows++] = from + place;
    await nextTurn();
  }
  return places.subarray(0, rows);
}
