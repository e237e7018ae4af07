import { UndefinedObject } from '../../errors/errors.ts';
import type { PrefetchedRequest } from '../../protocol/fingerprint.ts';
import type { ArrayInputs, ExplainRequest, ModelRequest, PredictRequest } from '../../protocol/request.ts';
import { batchPart } from '../../tracing/batch-span.ts';
import { type Explanation, explainedClass, explanationOf } from '../explanations/explanation.ts';
import { writeOrder } from '../explanations/explanation-order.ts';
import type { ServedModel } from '../served-model.ts';
import { ArrayCalls } from './array-calls.ts';
import { SessionCalls } from './calls.ts';
import { type TracedTerms, termsOf } from './deadline.ts';
import { type Detail, detailOf } from './detail.ts';
import type { ClientOptions, ModelDirectory } from './model-directory.ts';
import { Scans } from './scans.ts';

/** An answer that is sent with the reply to an earlier request, and the request that it answers. */
export interface PrefetchedAnswer extends PrefetchedRequest {
  label: string;
}

/** A backend keeps prefetched answers in its memory: only few if labels are long, as those of detectors are. */
const MAX_PREFETCHED_CHARS = 256 * 1024;

/** One session's requests; they can be cancelled, and it may read ahead. */
export class Client {
  readonly #models: ModelDirectory;
  readonly #calls: SessionCalls;
  readonly #arrays: ArrayCalls;
  readonly #scans = new Scans();

  constructor(options: ClientOptions) {
    this.#models = options.models;
    this.#calls = new SessionCalls(options);
    this.#arrays = new ArrayCalls(this.#calls);
  }

  /**
   * Checks that a model has this key. Returns a promise if the rows must be read, which rejects with
   * {@link UndefinedObject}.
   */
  admit(key: string): void | Promise<void> {
    return this.hasModel(key) ? undefined : this.#calls.unlessCancelled(this.#models.find(key));
  }

  /** The name of a model that has answered. */
  nameOf(key: string): string | undefined {
    return this.#models.get(key)?.row.model;
  }

  hasModel(key: string): boolean {
    return this.#models.has(key);
  }

  /**
   * One row of a statement: its label, without a promise if it is cached, and the read request if reading ahead seems
   * to pay.
   */
  scan(
    request: PredictRequest & { statement: string },
    latency: TracedTerms,
  ): { label: string | null | Promise<string | null>; readRequest: string | null } {
    const { key, input, statement } = request;
    const model = this.#calls.present(request);
    if (model === undefined) return { label: this.#predict(request, latency), readRequest: null };
    const cached = model.recall(input);
    const known = cached !== undefined || model.batcher.isOpen(input);
    const state = { known, queued: model.batcher.queued.speculative, batchesPay: model.fleet.batchesPay };
    const readRequest = statement === '' ? null : this.#scans.request(key, { statement, input, state });
    if (cached === undefined) {
      return { label: this.#answerNow(model, request, latency) ?? this.#predict(request, latency), readRequest };
    }
    model.stat.cached++;
    model.stat.call(0, { rows: 1, overdue: false });
    return { label: cached, readRequest };
  }

  /** Available answers to the requests that will follow the last one, if `mayHave` allows its statement. */
  prefetched(mayHave: (statement: string) => boolean): PrefetchedAnswer[] {
    const { current } = this.#scans;
    if (current === undefined || !mayHave(current.statement)) return [];
    const { statement, maxPrefetched } = current;
    const answers: PrefetchedAnswer[] = [];
    let chars = 0;
    while (answers.length < maxPrefetched && chars < MAX_PREFETCHED_CHARS) {
      const scan = this.#scans.next(statement);
      const model = scan && this.#models.get(scan.key);
      const answer = model && scan.ahead.takeNext((input) => model.recall(input));
      if (!answer) break;
      this.#scans.answered(scan);
      model.stat.answeredPrefetched(1);
      chars += answer.label.length;
      answers.push({ statement, model: model.row.model, input: answer.input, label: answer.label });
    }
    return answers;
  }

  /** Labels in the order of the inputs; null for null, and for overdue ones if the caller wants null. */
  predictMany(request: ArrayInputs, latency: TracedTerms): Promise<(string | null)[]> {
    return this.#arrays.predict(request, latency);
  }

  /** As {@link predictMany}; details are always computed, also for cached labels. */
  detailMany(request: ArrayInputs, latency: TracedTerms): Promise<(Detail | null)[]> {
    return this.#arrays.detail(request, latency);
  }

  async detail(request: PredictRequest, latency: TracedTerms): Promise<Detail | null> {
    const startedMs = this.#calls.nowMs();
    const model = await this.#calls.model(request);
    const deadline = this.#calls.deadline(model, latency, startedMs);
    const [outcome] = await this.#calls.ask(model, {
      role: request.role,
      inputs: [request.input],
      wantsDetail: true,
      deadline,
    });
    const overdue = this.#calls.count(model, deadline, 1);
    if (!outcome) return null;
    return detailOf(outcome, model, { ms: this.#calls.nowMs() - startedMs, overdue });
  }

  /** Why the answer is as it is; null if the explanation is overdue and the caller wants null. */
  async explain({ about, ...request }: ExplainRequest, latency: TracedTerms): Promise<Explanation | null> {
    const startedMs = this.#calls.nowMs();
    const model = await this.#calls.model(request);
    const order = writeOrder({ about: explainedClass(model.row, about), input: request.input });
    const deadline = this.#calls.deadline(model, latency, startedMs);
    const [outcome] = await this.#calls.ask(
      { batcher: model.explanations, stat: model.stat },
      { role: request.role, inputs: [order], wantsDetail: true, deadline },
    );
    this.#calls.count(model, deadline, 1);
    return outcome?.finding ? explanationOf(model.row, request.input, outcome.finding) : null;
  }

  /**
   * Rows that the database read ahead. The returned function processes them, which takes long compared with a reply.
   */
  readAhead(
    request: ModelRequest,
    { place, inputs }: { place: string; inputs: readonly (string | null)[] },
  ): () => void {
    const model = this.#calls.present(request);
    return () => {
      const rows = this.#scans.received(request.key, place, inputs);
      model?.warm(rows, request.role);
    };
  }

  /** Cancels all calls of the session. */
  cancel(): void {
    this.#calls.cancel();
  }

  close(): void {
    this.cancel();
    this.#scans.clear();
  }

  /** Without a promise; undefined if the request must wait. */
  #answerNow(model: ServedModel, { input, role }: PredictRequest, latency: TracedTerms): string | undefined {
    const startMs = this.#calls.nowMs();
    const deadline = this.#calls.deadline(model, latency, startMs);
    const label = model.batcher.answerNow(input, {
      wantsDetail: false,
      role,
      session: this.#calls,
      ...termsOf(deadline),
    });
    if (label !== undefined) {
      this.#calls.count(model, deadline, 1);
      latency.trace?.part(batchPart(startMs, this.#calls.nowMs(), { rows: 1 }));
    }
    return label;
  }

  async #predict(request: PredictRequest, latency: TracedTerms): Promise<string | null> {
    const startedMs = this.#calls.nowMs();
    const model = this.#calls.present(request) ?? (await this.#calls.model(request));
    const deadline = this.#calls.deadline(model, latency, startedMs);
    const [outcome] = await this.#calls.ask(model, {
      role: request.role,
      inputs: [request.input],
      wantsDetail: false,
      deadline,
    });
    this.#calls.count(model, deadline, 1);
    return outcome?.answer ?? null;
  }
}
