import { Cancelled, DeadlineMissed, type NotReady, type UndefinedObject } from '../errors/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Pending } from './batcher.ts';
import { type Detail, detailOf } from './detail.ts';
import { type Asking, checkInput, type Deadline, overdueError, type Question, type Terms } from './questions.ts';
import type { Outcome } from './queued-question.ts';
import { type Along, ReadAhead } from './read-ahead.ts';
import { DEFAULT_BUDGET_MS, type ServedModel } from './served-model.ts';

/** Where the models of a key are found. */
export interface ModelDirectory {
  get(key: string): ServedModel | undefined;
  /** Waits for a model that is being loaded; throws {@link UndefinedObject} or {@link NotReady}. */
  arrival(key: string): Promise<ServedModel>;
}

export interface ClientOptions {
  models: ModelDirectory;
  clock: Clock;
}

/** An array is asked in parts of this size, so many at a time: others' single rows do not wait for all of it. */
const PART_ROWS = 256;
const PARTS_AT_ONCE = 4;

/** Models that one session reads ahead for: more in one statement is not a scan. */
const MAX_SCANS = 8;

/** One session's questions: what it waits for can be cancelled, and it may read ahead. */
export class Client {
  readonly #options: ClientOptions;
  readonly #waiting = new Set<(error: Cancelled) => void>();
  readonly #scans = new Map<string, ReadAhead>();

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** One row of a statement: its label, at once where it is known, and where to read ahead if that seems to pay. */
  scan(
    { statement, ...question }: Question & { statement: string },
    terms: Terms,
  ): { label: string | null | Promise<string | null>; readFrom: string | null } {
    const { key, text } = question;
    const model = this.#present(question);
    if (model === undefined) return { label: this.#predict(question, terms), readFrom: null };
    const cached = model.recall(text);
    const known = cached !== undefined || model.batcher.isOpen(text);
    const queued = model.batcher.speculativeQueued;
    const readFrom = statement === '' ? null : this.#scanOf(key).question(statement, { known, queued });
    if (cached === undefined) return { label: this.#predict(question, terms), readFrom };
    model.stat.cached++;
    model.stat.call(0, { rows: 1, overdue: false });
    return { label: cached, readFrom };
  }

  /** Answers to the rows that the scan asks after this one, as far as they are there. */
  along({ key, text }: Pick<Question, 'key' | 'text'>): Along[] {
    const model = this.#options.models.get(key);
    const answers = model === undefined ? [] : (this.#scans.get(key)?.along(text, (next) => model.recall(next)) ?? []);
    if (model !== undefined && answers.length > 0) model.stat.answeredAlong(answers.length);
    return answers;
  }

  /** Labels in the order of the texts; null for null, and for what is late where that was asked for. */
  async predictMany(
    { texts, ...asking }: Asking & { texts: readonly (string | null)[] },
    terms: Terms,
  ): Promise<(string | null)[]> {
    const startedMs = this.#options.clock.nowMs();
    const first = await this.#model(asking);
    const deadline = this.#deadline(first, terms, startedMs);
    const labels = new Array<string | null>(texts.length).fill(null);
    let next = 0;
    const part = async (): Promise<void> => {
      while (next < texts.length) {
        const from = next;
        next = Math.min(texts.length, from + PART_ROWS);
        await this.#predictPart({ ...asking, texts: texts.slice(from, next) }, deadline, (row, label) => {
          labels[from + row] = label;
        });
      }
    };
    try {
      await Promise.all(Array.from({ length: PARTS_AT_ONCE }, part));
    } finally {
      next = texts.length; // the other parts of a failed call ask no more
    }
    this.#count(first, deadline, texts.length);
    return labels;
  }

  async detail(question: Question, terms: Terms): Promise<Detail | null> {
    const startedMs = this.#options.clock.nowMs();
    const model = await this.#model(question);
    const deadline = this.#deadline(model, terms, startedMs);
    const outcome = await this.#ask(model, { text: question.text, wantsDetail: true }, deadline);
    const overdue = this.#count(model, deadline, 1);
    if (outcome === null) return null;
    return detailOf(outcome, model, { ms: this.#options.clock.nowMs() - startedMs, overdue });
  }

  /** The rows that the database read ahead, and where it would go on. */
  readAhead(asking: Asking, { next, texts }: { next: string; texts: readonly (string | null)[] }): void {
    this.#scanOf(asking.key).received(
      texts.filter((text) => text !== null),
      next,
    );
    this.#present(asking)?.warm(texts);
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

  async #predict(question: Question, terms: Terms): Promise<string | null> {
    const startedMs = this.#options.clock.nowMs();
    const model = this.#present(question) ?? (await this.#model(question));
    const deadline = this.#deadline(model, terms, startedMs);
    const outcome = await this.#ask(model, { text: question.text, wantsDetail: false }, deadline);
    this.#count(model, deadline, 1);
    return outcome === null ? null : outcome.answer;
  }

  async #predictPart(
    { texts, ...asking }: Asking & { texts: readonly (string | null)[] },
    deadline: Deadline,
    put: (row: number, label: string | null) => void,
  ): Promise<void> {
    const model = this.#present(asking) ?? (await this.#model(asking));
    const answers = texts.map(async (text, row) => {
      if (text === null) return;
      const cached = model.recall(text);
      if (cached !== undefined) {
        model.stat.cached++;
        return put(row, cached);
      }
      const outcome = await this.#ask(model, { text, wantsDetail: false }, deadline);
      if (outcome !== null) put(row, outcome.answer);
    });
    await Promise.all(answers);
  }

  /** The outcome; null for one that is overdue where that was asked for. */
  async #ask(
    model: ServedModel,
    { text, wantsDetail }: { text: string; wantsDetail: boolean },
    deadline: Deadline,
  ): Promise<Outcome | null> {
    const { budgetMs, startedMs, onOverdue } = deadline;
    const isFirm = onOverdue !== 'answer';
    const asked = { text, wantsDetail, deadlineMs: startedMs + budgetMs, budgetMs, isFirm, session: this };
    const outcome = this.#settle(model.batcher.ask(asked), deadline);
    return onOverdue === 'null' ? outcome.catch(nullWhenOverdue) : outcome;
  }

  /** The outcome, unless the session cancels; with a hard deadline an error when that is earlier. */
  #settle(pending: Pending, { budgetMs, startedMs, onOverdue }: Deadline): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(giveUp);
      };
      const giveUp = (error: Cancelled | DeadlineMissed): void => {
        done();
        pending.leave();
        reject(error);
      };
      this.#waiting.add(giveUp);
      if (onOverdue !== 'answer') {
        const leftMs = startedMs + budgetMs - this.#options.clock.nowMs();
        timer = setTimeout(() => giveUp(overdueError(budgetMs)), Math.max(0, leftMs));
      }
      pending.outcome.then(resolve, reject).finally(done);
    });
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
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      this.#options.models
        .arrival(asking.key)
        .then((model) => {
          checkInput(model, asking);
          resolve(model);
        })
        .catch(reject)
        .finally(() => this.#waiting.delete(reject));
    });
  }

  #scanOf(key: string): ReadAhead {
    const found = this.#scans.get(key);
    if (found !== undefined) return found;
    const [oldest] = this.#scans.keys();
    if (this.#scans.size >= MAX_SCANS && oldest !== undefined) this.#scans.delete(oldest);
    const scan = new ReadAhead();
    this.#scans.set(key, scan);
    return scan;
  }
}

function nullWhenOverdue(error: unknown): null {
  if (error instanceof DeadlineMissed) return null;
  throw error;
}
