import { UndefinedObject } from '../../errors/errors.ts';
import type { Conversation } from '../../protocol/conversation.ts';
import { readInputs } from '../../protocol/input-array.ts';
import {
  answerReply,
  arrayLiteral,
  prefetchedReply,
  type Reply,
  readReply,
  ticketReply,
} from '../../protocol/reply.ts';
import { type BridgeRequest, checkSize, keyOf, parseRequest, verbOf } from '../../protocol/request.ts';
import { isTracing } from '../../tracing/traced-call.ts';
import type { Client } from './client.ts';
import type { TracedTerms } from './deadline.ts';
import { traced } from './traced.ts';

/** A waiting backend must return to Postgres this often, so that Ctrl-C and statement_timeout work. */
const LONG_POLL_MS = 100;
/** Pending answers that a session can still fetch; a backend runs one call at a time. */
const MAX_TICKETS = 8;

type TracedRequest = Extract<BridgeRequest, { latency: unknown }>;
const spanNames: Readonly<Record<TracedRequest['verb'], string>> = {
  P: 'rafiki predict',
  N: 'rafiki predict',
  A: 'rafiki predict_rows',
  D: 'rafiki detail',
  B: 'rafiki detail_rows',
  E: 'rafiki explain',
};

type RequestOf<V extends BridgeRequest['verb']> = Extract<BridgeRequest, { verb: V }>;

/**
 * One session's requests, as in docs/architecture.md. The key is checked first: a request with an unknown key is not
 * parsed.
 */
export class PredictConversation implements Conversation {
  readonly #client: Client;
  readonly #tickets = new Map<string, Promise<Reply>>();
  #nextTicket = 1;
  /** Processes rows that were read ahead; called after the reply is sent, and before the next request. */
  #pendingRows: (() => void) | undefined;
  /** The role that was asked to read ahead. */
  #readAheadRole: string | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  admit(start: string, bytes: number): void | Promise<void> {
    const verb = verbOf(start);
    const check = (): void => checkSize(start, bytes);
    const admitted = verb === 'V' ? this.#admitRows(keyOf(start)) : this.#client.admit(keyOf(start));
    return admitted === undefined ? check() : admitted.then(check);
  }

  answer(request: string): Reply | Promise<Reply> {
    this.#takePendingRows();
    const verb = verbOf(request);
    if (verb === 'R' || verb === 'V') return this.#ask(parseRequest(request));
    const admitted = this.#client.admit(keyOf(request));
    if (admitted === undefined) return this.#ask(parseRequest(request));
    return this.#replyOrTicket(admitted.then(() => this.#ask(parseRequest(request))));
  }

  cancel(): void {
    this.#tickets.clear();
    this.#client.cancel();
  }

  close(): void {
    this.#tickets.clear();
    this.#client.close();
  }

  #ask(request: BridgeRequest): Reply | Promise<Reply> {
    switch (request.verb) {
      case 'P':
        return this.#predict(request);
      case 'N':
        return this.#predictNext(request);
      case 'A':
        return this.#predictArray(request);
      case 'D':
        return this.#detail(request);
      case 'B':
        return this.#detailArray(request);
      case 'E':
        return this.#explain(request);
      case 'V':
        return this.#readAhead(request);
      case 'R':
        return this.#redeem(request.ticket);
    }
  }

  #predict(
    request: RequestOf<'P' | 'N'>,
    isReadAhead = mayReadAhead(request.role, request.statement),
  ): Reply | Promise<Reply> {
    const { role } = request;
    let readRequest: string | null = null;
    const label = this.#traced(request, 1, (terms) => {
      const scan = this.#client.scan(isReadAhead ? request : { ...request, statement: '' }, terms);
      readRequest = scan.readRequest;
      return scan.label;
    });
    if (readRequest !== null) this.#readAheadRole = role;
    const reply = (v: string | null): Reply => (readRequest === null ? answerReply(v) : readReply(v, readRequest));
    return label instanceof Promise ? this.#replyOrTicket(label.then(reply)) : reply(label);
  }

  /** As P; the reply may include prefetched answers to the next requests of the scan. */
  #predictNext(request: RequestOf<'P' | 'N'>): Reply | Promise<Reply> {
    const { role, statement } = request;
    const isReadAhead = mayReadAhead(role, statement);
    const withPrefetched = (reply: Reply): Reply =>
      reply.s === 'k' && isReadAhead ? { ...reply, prefetched: this.#prefetched(role) } : reply;
    const reply = this.#predict(request, isReadAhead);
    return reply instanceof Promise ? reply.then(withPrefetched) : withPrefetched(reply);
  }

  #prefetched(role: string): Reply[] {
    const answers = this.#client.prefetched((statement) => mayReadAhead(role, statement));
    return answers.map(({ label, ...request }) => prefetchedReply(label, request));
  }

  #predictArray(request: RequestOf<'A' | 'B'>): Promise<Reply> {
    const labels = this.#traced(request, request.inputs.length, (terms) => this.#client.predictMany(request, terms));
    return this.#replyOrTicket(labels.then((found) => answerReply(arrayLiteral(found))));
  }

  #detail(request: RequestOf<'D'>): Promise<Reply> {
    const detail = this.#traced(request, 1, (terms) => this.#client.detail(request, terms));
    return this.#replyOrTicket(detail.then((found) => answerReply(json(found))));
  }

  #explain(request: RequestOf<'E'>): Promise<Reply> {
    const why = this.#traced(request, 1, (terms) => this.#client.explain(request, terms));
    return this.#replyOrTicket(why.then((found) => answerReply(json(found))));
  }

  #detailArray(request: RequestOf<'A' | 'B'>): Promise<Reply> {
    const details = this.#traced(request, request.inputs.length, (terms) => this.#client.detailMany(request, terms));
    return this.#replyOrTicket(details.then((found) => answerReply(arrayLiteral(found.map(json)))));
  }

  #traced<T>({ verb, key, latency }: TracedRequest, rows: number, work: (terms: TracedTerms) => T): T {
    if (!isTracing()) return work(latency);
    return traced({ name: spanNames[verb], rows, latency, modelName: () => this.#client.nameOf(key) }, work);
  }

  /**
   * Rows are accepted from the role that was asked for them, while its key is valid. Others are ignored without an
   * error: reading ahead must not fail a statement.
   */
  #readAhead({ place, rows, ...request }: RequestOf<'V'>): Reply {
    const { key, role } = request;
    const isWanted = role === this.#readAheadRole && this.#client.hasModel(key);
    this.#readAheadRole = undefined;
    this.#pendingRows = this.#client.readAhead(
      request,
      isWanted ? { place, inputs: readInputs(rows) } : { place: '', inputs: [] },
    );
    setImmediate(() => this.#takePendingRows());
    return { ...answerReply(null), prefetched: this.#prefetched(role) };
  }

  /** A statement continues without refused rows: its next requests are answered by themselves. */
  #admitRows(key: string): void {
    if (this.#readAheadRole !== undefined && this.#client.hasModel(key)) return;
    throw new UndefinedObject('rows were sent that were not requested', {
      detail: 'No model has that key, or the session was not asked to read ahead.',
      hint: 'Use rafiki_predict, which reads ahead by itself.',
    });
  }

  #takePendingRows(): void {
    const take = this.#pendingRows;
    this.#pendingRows = undefined;
    take?.();
  }

  #redeem(ticket: string): Promise<Reply> {
    const reply = this.#tickets.get(ticket);
    if (reply === undefined) {
      throw new UndefinedObject('the pending answer is no longer available', {
        detail: `ticket ${ticket.slice(0, 40)}`,
        hint: 'Repeat the call.',
      });
    }
    this.#tickets.delete(ticket);
    return this.#replyOrTicket(reply);
  }

  /** The reply, or after LONG_POLL_MS a ticket for it. */
  #replyOrTicket(reply: Promise<Reply>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve(ticketReply(this.#keep(reply))), LONG_POLL_MS);
      reply.then(resolve, reject).finally(() => clearTimeout(timer)); // after the ticket, silently: it may never be redeemed
    });
  }

  #keep(reply: Promise<Reply>): string {
    const [oldest] = this.#tickets.keys();
    if (this.#tickets.size >= MAX_TICKETS && oldest !== undefined) this.#tickets.delete(oldest);
    const ticket = String(this.#nextTicket++);
    this.#tickets.set(ticket, reply);
    return ticket;
  }
}

const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));

/** The role in a statement id, which consists of time, snapshot and the role that executes it. */
const callerOf = (statement: string): string => statement.split(' ').slice(2).join(' ');

/** A snapshot lists all running transactions: with some hundreds of them nothing is read ahead. */
const MAX_STATEMENT_CHARS = 8192;

/**
 * Reading ahead and prefetching require that the statement runs as the session's own role. Otherwise the caller of a
 * security definer function that predicts could get its owner's answers, or have the owner read other rows.
 */
const mayReadAhead = (role: string, statement: string): boolean =>
  statement !== '' && statement.length <= MAX_STATEMENT_CHARS && callerOf(statement) === role;
