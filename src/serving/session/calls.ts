import { Cancelled, DeadlineMissed, LimitReached, UndefinedObject } from '../../errors/errors.ts';
import type { ModelRequest } from '../../protocol/request.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { RequestOutcome } from '../queue/queued-request.ts';
import { DEFAULT_BUDGET_MS, type ServedModel } from '../served-model.ts';
import { checkInput } from './check-input.ts';
import type { Deadline, TracedTerms } from './deadline.ts';
import type { ClientOptions, ModelDirectory } from './model-directory.ts';
import { RowsRequest, type RowsRequestOptions } from './rows-request.ts';

/** The calls of one session, which can be cancelled. */
export class SessionCalls {
  readonly #models: ModelDirectory;
  readonly #clock: Clock;
  readonly #waiting = new Set<(error: Cancelled) => void>();

  constructor({ models, clock }: ClientOptions) {
    this.#models = models;
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** Cancels all calls of the session. */
  cancel(): void {
    const cancelled = new Cancelled('the prediction was cancelled');
    for (const giveUp of [...this.#waiting]) giveUp(cancelled);
  }

  /** The version that answers now: a call continues if the model gets another version or key. */
  current(first: ServedModel): ServedModel {
    const model = this.#models.current(first.row.modelId);
    if (model === undefined) throw new UndefinedObject('the model is no longer deployed');
    return model;
  }

  /** The outcomes. Throws if the session cancels, or the signal aborts. */
  async ask(
    { batcher, stat }: Pick<ServedModel, 'batcher' | 'stat'>,
    {
      signal,
      ...asked
    }: Pick<RowsRequestOptions, 'inputs' | 'wantsDetail' | 'role' | 'deadline'> & { signal?: AbortSignal },
  ): Promise<(RequestOutcome | null)[]> {
    const rows = new RowsRequest(batcher, { ...asked, session: this, clock: this.#clock });
    const giveUp = (error: Cancelled): void => rows.abort(error);
    const onAbort = (): void => rows.abort(signal?.reason);
    this.#waiting.add(giveUp);
    signal?.addEventListener('abort', onAbort);
    try {
      return await rows.outcomes;
    } catch (error) {
      if (error instanceof DeadlineMissed || error instanceof LimitReached) stat.refused++;
      throw error;
    } finally {
      this.#waiting.delete(giveUp);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Counts a finished call; returns whether it was overdue. */
  count(model: ServedModel, { budgetMs, startedMs }: Deadline, rows: number): boolean {
    const ms = this.#clock.nowMs() - startedMs;
    const overdue = ms > budgetMs;
    model.stat.call(ms, { rows, overdue });
    return overdue;
  }

  deadline(model: ServedModel, { budgetMs, onOverdue, trace }: TracedTerms, startedMs: number): Deadline {
    return { budgetMs: budgetMs ?? model.row.budgetMs ?? DEFAULT_BUDGET_MS, startedMs, onOverdue, trace };
  }

  /** The model, if it is in memory. */
  present(request: ModelRequest): ServedModel | undefined {
    const model = this.#models.get(request.key);
    if (model !== undefined) checkInput(model, request);
    return model;
  }

  /** The model, after loading if necessary; cancellable. */
  async model(request: ModelRequest): Promise<ServedModel> {
    const found = this.present(request);
    if (found !== undefined) return found;
    const model = await this.unlessCancelled(this.#models.whenLoaded(request.key));
    checkInput(model, request);
    return model;
  }

  unlessCancelled<T>(awaited: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      awaited.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }
}
