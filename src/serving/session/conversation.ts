import { UndefinedObject } from '../../errors/errors.ts';
import type { Conversation } from '../../protocol/conversation.ts';
import { fingerprintOf } from '../../protocol/fingerprint.ts';
import { parseInputs } from '../../protocol/input-array.ts';
import { answerReply, arrayLiteral, type Reply } from '../../protocol/reply.ts';
import { type BridgeRequest, checkSize, keyOf, parseRequest, verbOf } from '../../protocol/request.ts';
import type { Client } from './client.ts';

/** A backend must look up from waiting this often, or Ctrl-C and statement_timeout do not bite. */
const LONG_POLL_MS = 100;
/** Answers that one session may still come back for; a backend runs one call at a time. */
const MAX_TICKETS = 8;

type RequestOf<V extends BridgeRequest['verb']> = Extract<BridgeRequest, { verb: V }>;

/** The requests of docs/architecture.md, for one session. The key comes first: nothing of a request whose key no model has is read. */
export class PredictConversation implements Conversation {
  readonly #client: Client;
  readonly #tickets = new Map<string, Promise<Reply>>();
  #nextTicket = 1;
  /** Rows that were read ahead, to be taken when the reply is on its way, and before the next request. */
  #takeRows: (() => void) | undefined;
  /** The role that was told to read ahead. */
  #reader: string | undefined;

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
    this.#settle();
    const verb = verbOf(request);
    if (verb === 'R' || verb === 'V') return this.#ask(parseRequest(request));
    const admitted = this.#client.admit(keyOf(request));
    if (admitted === undefined) return this.#ask(parseRequest(request));
    return this.#patiently(admitted.then(() => this.#ask(parseRequest(request))));
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
      case 'V':
        return this.#readAhead(request);
      case 'R':
        return this.#redeem(request.ticket);
    }
  }

  #predict({ latency, ...request }: RequestOf<'P' | 'N'>): Reply | Promise<Reply> {
    const { role } = request;
    const statement = mayReadAhead(role, request.statement) ? request.statement : '';
    const { label, readRequest } = this.#client.scan({ ...request, statement }, latency);
    if (readRequest !== null) this.#reader = role;
    const reply = (v: string | null): Reply =>
      readRequest === null ? answerReply(v) : { s: 'h', v, loc: readRequest };
    return label instanceof Promise ? this.#patiently(label.then(reply)) : reply(label);
  }

  /** As P; answers to what the scan asks next may be prefetched with it. */
  #predictNext(request: RequestOf<'P' | 'N'>): Reply | Promise<Reply> {
    const { role, statement } = request;
    const mayCome = mayReadAhead(role, statement);
    const withPrefetched = (reply: Reply): Reply =>
      reply.s === 'k' && mayCome ? { ...reply, prefetched: this.#prefetched(role) } : reply;
    const reply = this.#predict(request);
    return reply instanceof Promise ? reply.then(withPrefetched) : withPrefetched(reply);
  }

  #prefetched(role: string): Reply[] {
    const answers = this.#client.prefetched((statement) => mayReadAhead(role, statement));
    return answers.map((answer) => ({ s: 'n', v: answer.label, loc: fingerprintOf(answer) }));
  }

  #predictArray({ latency, ...request }: RequestOf<'A' | 'B'>): Promise<Reply> {
    return this.#patiently(
      this.#client.predictMany(request, latency).then((labels) => answerReply(arrayLiteral(labels))),
    );
  }

  #detail({ latency, ...request }: RequestOf<'D'>): Promise<Reply> {
    return this.#patiently(this.#client.detail(request, latency).then((detail) => answerReply(json(detail))));
  }

  #detailArray({ latency, ...request }: RequestOf<'A' | 'B'>): Promise<Reply> {
    return this.#patiently(
      this.#client.detailMany(request, latency).then((details) => answerReply(arrayLiteral(details.map(json)))),
    );
  }

  /** Rows are taken from the role that was told to send them, and while its key holds: it must not fail for what is only ahead. */
  #readAhead({ place, json: rows, ...request }: RequestOf<'V'>): Reply {
    const { key, role } = request;
    const isWanted = role === this.#reader && this.#client.knows(key);
    this.#reader = undefined;
    this.#takeRows = this.#client.readAhead(
      request,
      isWanted ? { place, inputs: parseInputs(rows) } : { place: '', inputs: [] },
    );
    setImmediate(() => this.#settle());
    return { ...answerReply(null), prefetched: this.#prefetched(role) };
  }

  /** The statement goes on without rows that are refused: what it asks for next is answered, or not, by itself. */
  #admitRows(key: string): void {
    if (this.#reader !== undefined && this.#client.knows(key)) return;
    throw new UndefinedObject('rows came that nobody asked for', {
      detail: 'No model has that key, or the session was not told to read ahead.',
      hint: 'Use rafiki_predict, which reads ahead by itself.',
    });
  }

  #settle(): void {
    const take = this.#takeRows;
    this.#takeRows = undefined;
    take?.();
  }

  #redeem(ticket: string): Promise<Reply> {
    const reply = this.#tickets.get(ticket);
    if (reply === undefined) {
      throw new UndefinedObject('the answer that was asked for again is not kept any more', {
        detail: `ticket ${ticket.slice(0, 40)}`,
        hint: 'Call the prediction again.',
      });
    }
    this.#tickets.delete(ticket);
    return this.#patiently(reply);
  }

  /** The reply, or after a while a ticket for it. */
  #patiently(reply: Promise<Reply>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reply.catch(() => undefined); // a ticket that is never redeemed fails silently
        resolve({ s: 'w', v: this.#keep(reply), loc: null });
      }, LONG_POLL_MS);
      reply.then(resolve, reject).finally(() => clearTimeout(timer));
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

/** A statement is its time, its snapshot, and the role that it runs as where it predicts. */
const callerOf = (statement: string): string => statement.split(' ').slice(2).join(' ');

/** Its snapshot names all transactions that run: with some hundreds of them nothing is read ahead. */
const MAX_STATEMENT_CHARS = 8192;

/**
 * Rows are read, and answers prefetched, for the role itself that the session has: whoever calls a function that predicts with
 * its owner's rights could otherwise take what is its owner's, or have the owner read what he wants.
 */
const mayReadAhead = (role: string, statement: string): boolean =>
  statement !== '' && statement.length <= MAX_STATEMENT_CHARS && callerOf(statement) === role;
