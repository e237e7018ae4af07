import { reportError } from '../errors/rafiki-error.ts';
import type { Conversation } from '../protocol/conversation.ts';
import type { Reply } from '../protocol/reply.ts';
import type { Measured } from '../runtime/measured.ts';

/** How many requests ended with an error, by SQLSTATE. */
export class ErrorCounts {
  readonly #counts = new Map<string, number>();

  readonly add = (error: unknown): void => {
    const { sqlstate } = reportError(error);
    this.#counts.set(sqlstate, (this.#counts.get(sqlstate) ?? 0) + 1);
  };

  measured(): Measured {
    return {
      name: 'rafiki_predict_errors_total',
      help: 'Requests that ended with an error, by SQLSTATE: 57014 are late or cancelled, 53400 refused because too much waits.',
      kind: 'counter',
      values: [...this.#counts].map(([sqlstate, value]) => ({ labels: { sqlstate }, value })),
    };
  }
}

/** A conversation whose errors are counted. */
export class CountedConversation implements Conversation {
  readonly #inner: Conversation;
  readonly #errors: ErrorCounts;

  constructor(inner: Conversation, errors: ErrorCounts) {
    this.#inner = inner;
    this.#errors = errors;
  }

  admit(start: string, bytes: number): void | Promise<void> {
    return this.#counted(() => this.#inner.admit(start, bytes));
  }

  answer(request: string): Reply | Promise<Reply> {
    return this.#counted(() => this.#inner.answer(request));
  }

  cancel(): void {
    this.#inner.cancel();
  }

  close(): void {
    this.#inner.close();
  }

  #counted<T>(work: () => T | Promise<T>): T | Promise<T> {
    try {
      const result = work();
      if (result instanceof Promise) result.catch(this.#errors.add);
      return result;
    } catch (error) {
      this.#errors.add(error);
      throw error;
    }
  }
}
