import { setImmediate as nextTurn } from 'node:timers/promises';
import { Cancelled, type NotReady, UndefinedObject } from '../../errors/errors.ts';
import type { PrefetchedRequest } from '../../protocol/fingerprint.ts';
import type { Asking, PredictRequest } from '../../protocol/request.ts';
import type { Terms } from '../../protocol/terms.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { RequestOutcome } from '../queue/queued-request.ts';
import { DEFAULT_BUDGET_MS, type ServedModel } from '../served-model.ts';
import { ArrayRequest, type ArrayRequestOptions } from './array-request.ts';
import { checkInput } from './check-input.ts';
import type { Deadline } from './deadline.ts';
import { checkReplySize, type Detail, detailOf } from './detail.ts';
import { longestFirst, PIECE_ROWS } from './longest-first.ts';
import { Scans } from './scans.ts';

/** Where the models of a key are found. */
export interface ModelDirectory {
  get(key: string): ServedModel | undefined;
  /** What answers for a model now, whatever its key has become. */
  current(modelId: number): ServedModel | undefined;
  /** Whether a model has this key, be it in memory or still being loaded. */
  has(key: string): boolean;
  /** Looks anew for a key that is not known; throws {@link UndefinedObject} where no model has it. */
  find(key: string): Promise<void>;
  /** Waits for a model that is being loaded; throws {@link UndefinedObject} or {@link NotReady}. */
  arrival(key: string): Promise<ServedModel>;
}

export interface ClientOptions {
  models: ModelDirectory;
  clock: Clock;
}

/** An answer that is sent with the reply to an earlier request, and the request that it is for. */
export interface PrefetchedAnswer extends PrefetchedRequest {
  label: string;
}

/** A backend keeps prefetched answers in its memory: few where labels are long, as those of boxes are. */
const MOST_PREFETCHED_CHARS = 256 * 1024;

/** An array is asked in parts of this size, so many at a time: others' single rows do not wait for all of it. */
const PART_ROWS = 256;
const PARTS_AT_ONCE = 4;

type Texts = readonly (string | null)[];

/** Asks rows of an array together, and keeps their answers; whether anything had to be asked. */
type AskPart = (rows: Int32Array, deadline: Deadline) => Promise<boolean>;

/** One session's requests: what it waits for can be cancelled, and it may read ahead. */
export class Client {
  readonly #options: ClientOptions;
  readonly #waiting = new Set<(error: Cancelled) => void>();
  readonly #scans = new Scans();

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Whether a model has this key; a promise where that takes a look at the rows, which throws {@link UndefinedObject}. */
  admit(key: string): void | Promise<void> {
    return this.knows(key) ? undefined : this.#unlessCancelled(this.#options.models.find(key));
  }

  knows(key: string): boolean {
    return this.#options.models.has(key);
  }

  /** One row of a statement: its label, at once where it is known, and what to read ahead if that seems to pay. */
  scan(
    { statement, ...request }: PredictRequest & { statement: string },
    terms: Terms,
  ): { label: string | null | Promise<string | null>; readRequest: string | null } {
    const { key, text } = request;
    const model = this.#present(request);
    if (model === undefined) return { label: this.#predict(request, terms), readRequest: null };
    const cached = model.recall(text);
    const known = cached !== undefined || model.batcher.isOpen(text);
    const state = { known, queued: model.batcher.speculativeQueued, batchesPay: model.fleet.batchesPay };
    const readRequest = statement === '' ? null : this.#scans.request(key, { statement, text, state });
    if (cached === undefined) return { label: this.#predict(request, terms), readRequest };
    model.stat.cached++;
    model.stat.call(0, { rows: 1, overdue: false });
    return { label: cached, readRequest };
  }

  /** Answers to the requests that come after the last one, as far as they are there; none where its statement may have none. */
  prefetched(mayHave: (statement: string) => boolean): PrefetchedAnswer[] {
    const { asking } = this.#scans;
    if (asking === undefined || !mayHave(asking.statement)) return [];
    const { statement, mostPrefetched } = asking;
    const answers: PrefetchedAnswer[] = [];
    let chars = 0;
    while (answers.length < mostPrefetched && chars < MOST_PREFETCHED_CHARS) {
      const scan = this.#scans.next(statement);
      const model = scan && this.#options.models.get(scan.key);
      const answer = model && scan.ahead.takeNext((text) => model.recall(text));
      if (!answer) break;
      this.#scans.answered(scan);
      model.stat.answeredPrefetched(1);
      chars += answer.label.length;
      answers.push({ statement, model: model.row.model, text: answer.text, label: answer.label });
    }
    return answers;
  }

  /** Labels in the order of the texts; null for null, and for what is late where that was asked for. */
  async predictMany({ texts, ...asking }: Asking & { texts: Texts }, terms: Terms): Promise<(string | null)[]> {
    const startedMs = this.#options.clock.nowMs();
    const first = await this.#model(asking);
    const labels = new Array<string | null>(texts.length).fill(null);
    const { role } = asking;
    await this.#inParts(first, texts, this.#deadline(first, terms, startedMs), (rows, deadline) =>
      this.#predictPart(this.#current(first), { role, texts, labels, rows }, deadline),
    );
    return labels;
  }

  /** As {@link predictMany}; details are computed anew, also of texts whose label is known. */
  async detailMany({ texts, ...asking }: Asking & { texts: Texts }, terms: Terms): Promise<(Detail | null)[]> {
    const { clock } = this.#options;
    const startedMs = clock.nowMs();
    const first = await this.#model(asking);
    checkReplySize(first.row, texts.length);
    const details = new Array<Detail | null>(texts.length).fill(null);
    await this.#inParts(first, texts, this.#deadline(first, terms, startedMs), async (rows, deadline) => {
      const model = this.#current(first);
      const asked = Array.from(rows, (row) => texts[row] as string);
      const outcomes = await this.#ask(model, { role: asking.role, texts: asked, wantsDetail: true, deadline });
      const ms = clock.nowMs() - startedMs;
      const overdue = ms > deadline.budgetMs;
      for (const [i, row] of rows.entries()) {
        const outcome = outcomes[i];
        if (outcome) details[row] = detailOf(outcome, model, { ms, overdue });
      }
      return true;
    });
    return details;
  }

  async detail(request: PredictRequest, terms: Terms): Promise<Detail | null> {
    const startedMs = this.#options.clock.nowMs();
    const model = await this.#model(request);
    const deadline = this.#deadline(model, terms, startedMs);
    const [outcome] = await this.#ask(model, {
      role: request.role,
      texts: [request.text],
      wantsDetail: true,
      deadline,
    });
    const overdue = this.#count(model, deadline, 1);
    if (!outcome) return null;
    return detailOf(outcome, model, { ms: this.#options.clock.nowMs() - startedMs, overdue });
  }

  /** The rows of a place that the database read ahead. What it returns takes them, which is long beside a reply. */
  readAhead(asking: Asking, { place, texts }: { place: string; texts: readonly (string | null)[] }): () => void {
    const model = this.#present(asking);
    return () => {
      const rows = this.#scans.received(asking.key, place, texts);
      model?.warm(rows, asking.role);
    };
  }

  /** Nobody waits any more for what this session asked. */
  cancel(): void {
    const cancelled = new Cancelled('the prediction was cancelled');
    for (const giveUp of [...this.#waiting]) giveUp(cancelled);
  }

  close(): void {
    this.cancel();
    this.#scans.clear();
  }

  async #predict(request: PredictRequest, terms: Terms): Promise<string | null> {
    const startedMs = this.#options.clock.nowMs();
    const model = this.#present(request) ?? (await this.#model(request));
    const deadline = this.#deadline(model, terms, startedMs);
    const [outcome] = await this.#ask(model, {
      role: request.role,
      texts: [request.text],
      wantsDetail: false,
      deadline,
    });
    this.#count(model, deadline, 1);
    return outcome?.answer ?? null;
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
    this.#count(model, deadline, texts.length);
  }

  /** The version that answers now: a call goes on when the model gets another one, or another key. */
  #current(first: ServedModel): ServedModel {
    const model = this.#options.models.current(first.row.modelId);
    if (model === undefined) throw new UndefinedObject('the model is not deployed any more');
    return model;
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
    const outcomes = await this.#ask(model, { role, texts: asked, wantsDetail: false, deadline });
    for (const [i, row] of unknown.entries()) labels[row] = outcomes[i]?.answer ?? null;
    return asked.length > 0;
  }

  /** The outcomes, unless the session cancels. */
  async #ask(
    model: ServedModel,
    asked: Pick<ArrayRequestOptions, 'texts' | 'wantsDetail' | 'role' | 'deadline'>,
  ): Promise<(RequestOutcome | null)[]> {
    const rows = new ArrayRequest(model.batcher, { ...asked, session: this, clock: this.#options.clock });
    const giveUp = (error: Cancelled): void => rows.giveUp(error);
    this.#waiting.add(giveUp);
    try {
      return await rows.outcomes;
    } finally {
      this.#waiting.delete(giveUp);
    }
  }

  /** Counts a call that has ended; whether it was overdue. */
  #count(model: ServedModel, { budgetMs, startedMs }: Deadline, rows: number): boolean {
    const ms = this.#options.clock.nowMs() - startedMs;
    const overdue = ms > budgetMs;
    model.stat.call(ms, { rows, overdue });
    return overdue;
  }

  #deadline(model: ServedModel, { budgetMs, onOverdue }: Terms, startedMs: number): Deadline {
    return { budgetMs: budgetMs ?? model.row.budgetMs ?? DEFAULT_BUDGET_MS, startedMs, onOverdue };
  }

  /** The model, where it is in memory. */
  #present(asking: Asking): ServedModel | undefined {
    const model = this.#options.models.get(asking.key);
    if (model !== undefined) checkInput(model, asking);
    return model;
  }

  /** The model, waited for while it loads; the session may cancel that too. */
  async #model(asking: Asking): Promise<ServedModel> {
    const found = this.#present(asking);
    if (found !== undefined) return found;
    const model = await this.#unlessCancelled(this.#options.models.arrival(asking.key));
    checkInput(model, asking);
    return model;
  }

  #unlessCancelled<T>(awaited: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      awaited.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
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
