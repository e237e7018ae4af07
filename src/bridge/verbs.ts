import { hash } from 'node:crypto';
import type { InputKind } from '../domain/task.ts';
import { UndefinedObject } from '../errors/errors.ts';
import type { Serving } from '../serving/serving.ts';
import type { Client, PrefetchedAnswer } from '../serving/session/client.ts';
import type { Reply } from './messages.ts';
import { checkSize, fieldsOf, inputOf, keyOf, SEPARATOR, termsOf, type Verb, verbOf } from './request.ts';
import type { Conversation } from './session.ts';
import { textsOf } from './text-array.ts';

/** A backend must look up from waiting this often, or Ctrl-C and statement_timeout do not bite. */
const LONG_POLL_MS = 100;
/** Answers that one session may still come back for; a backend runs one call at a time. */
const MAX_TICKETS = 8;

/** What of serving the requests need. */
export type Predictions = Pick<Serving, 'connect'>;

/** The requests of docs/architecture.md, for one session. The key comes first: nothing of a request whose key no model has is read. */
export class Verbs implements Conversation {
  readonly #client: Client;
  readonly #tickets = new Map<string, Promise<Reply>>();
  #nextTicket = 1;
  /** Rows that were read ahead, to be taken when the reply is on its way, and before the next request. */
  #takeRows: (() => void) | undefined;
  /** The role that was told to read ahead. */
  #reader: string | undefined;

  constructor(serving: Predictions) {
    this.#client = serving.connect();
  }

  admit(start: string, bytes: number): void | Promise<void> {
    const verb = verbOf(start);
    const check = (): void => checkSize(start, bytes);
    const admitted = verb === 'V' ? this.#admitRows(keyOf(start)) : this.#client.admit(keyOf(start));
    return admitted === undefined ? check() : admitted.then(check);
  }

  answer(request: string): Reply | Promise<Reply> {
    this.#settle();
    if (request.startsWith(`R${SEPARATOR}`)) return this.#redeem(request.slice(2));
    const verb = verbOf(request);
    if (verb === 'V') return this.#readAhead(request);
    const admitted = this.#client.admit(keyOf(request));
    if (admitted === undefined) return this.#ask(verb, request);
    return this.#patiently(admitted.then(() => this.#ask(verb, request)));
  }

  #ask(verb: Exclude<Verb, 'V'>, request: string): Reply | Promise<Reply> {
    const input = inputOf(request);
    const fields = fieldsOf(verb, request);
    if (verb === 'P') return this.#predict(input, fields);
    if (verb === 'N') return this.#predictNext(input, fields);
    if (verb === 'A') return this.#predictArray(input, fields);
    return verb === 'D' ? this.#detail(input, fields) : this.#detailArray(input, fields);
  }

  cancel(): void {
    this.#tickets.clear();
    this.#client.cancel();
  }

  close(): void {
    this.#tickets.clear();
    this.#client.close();
  }

  #predict(
    input: InputKind,
    [key = '', role = '', budget = '', onOverdue = '', stated = '', text = '']: string[],
  ): Reply | Promise<Reply> {
    const statement = mayReadAhead(role, stated) ? stated : '';
    const { label, readRequest } = this.#client.scan({ key, input, role, text, statement }, termsOf(budget, onOverdue));
    if (readRequest !== null) this.#reader = role;
    const reply = (value: string | null): Reply => ({
      s: readRequest === null ? 'k' : 'h',
      v: value,
      loc: readRequest,
    });
    return label instanceof Promise ? this.#patiently(label.then(reply)) : reply(label);
  }

  /** As P; answers to what the scan asks next may be prefetched with it. */
  #predictNext(input: InputKind, fields: string[]): Reply | Promise<Reply> {
    const [, role = '', , , statement = ''] = fields;
    const mayCome = mayReadAhead(role, statement);
    const withPrefetched = (reply: Reply): Reply =>
      reply.s === 'k' && mayCome ? { ...reply, prefetched: this.#prefetched(role) } : reply;
    const reply = this.#predict(input, fields);
    return reply instanceof Promise ? reply.then(withPrefetched) : withPrefetched(reply);
  }

  #prefetched(role: string): Reply[] {
    const answers = this.#client.prefetched((statement) => mayReadAhead(role, statement));
    return answers.map((answer) => ({ s: 'n', v: answer.label, loc: fingerprintOf(answer) }));
  }

  #predictArray(
    input: InputKind,
    [key = '', role = '', budget = '', onOverdue = '', texts = '']: string[],
  ): Promise<Reply> {
    const labels = this.#client.predictMany({ key, input, role, texts: textsOf(texts) }, termsOf(budget, onOverdue));
    return this.#patiently(labels.then((values) => answered(arrayLiteral(values))));
  }

  #detail(input: InputKind, [key = '', role = '', budget = '', onOverdue = '', text = '']: string[]): Promise<Reply> {
    const detail = this.#client.detail({ key, input, role, text }, termsOf(budget, onOverdue));
    return this.#patiently(detail.then((value) => answered(value === null ? null : JSON.stringify(value))));
  }

  #detailArray(
    input: InputKind,
    [key = '', role = '', budget = '', onOverdue = '', texts = '']: string[],
  ): Promise<Reply> {
    const details = this.#client.detailMany({ key, input, role, texts: textsOf(texts) }, termsOf(budget, onOverdue));
    const literal = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));
    return this.#patiently(details.then((values) => answered(arrayLiteral(values.map(literal)))));
  }

  /** Rows are taken from the role that was told to send them, and while its key holds: it must not fail for what is only ahead. */
  #readAhead(request: string): Reply {
    const input = inputOf(request);
    const [key = '', role = '', place = '', texts = ''] = fieldsOf('V', request);
    const isWanted = role === this.#reader && this.#client.knows(key);
    this.#reader = undefined;
    const rows = isWanted ? { place, texts: textsOf(texts) } : { place: '', texts: [] };
    this.#takeRows = this.#client.readAhead({ key, input, role }, rows);
    setImmediate(() => this.#settle());
    return { ...answered(null), prefetched: this.#prefetched(role) };
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

/** A statement is its time, its snapshot, and the role that it runs as where it predicts. */
const callerOf = (statement: string): string => statement.split(' ').slice(2).join(' ');

/** Its snapshot names all transactions that run: with some hundreds of them nothing is read ahead. */
const MOST_STATEMENT_CHARS = 8192;

/**
 * Rows are read, and answers prefetched, for the role itself that the session has: whoever calls a function that predicts with
 * its owner's rights could otherwise take what is its owner's, or have the owner read what he wants.
 */
const mayReadAhead = (role: string, statement: string): boolean =>
  statement !== '' && statement.length <= MOST_STATEMENT_CHARS && callerOf(statement) === role;

/** A longer text has its hash in the fingerprint, as rafiki._fingerprint() of 050-transport.sql has it. */
const HASH_ABOVE_BYTES = 256;

/** Of the request that a prefetched answer is for: a backend takes it for this statement, model and text only. */
function fingerprintOf({ statement, model, text }: PrefetchedAnswer): string {
  const content = Buffer.byteLength(text) <= HASH_ABOVE_BYTES ? `=${text}` : `#${hash('sha256', text, 'hex')}`;
  return [statement, Buffer.byteLength(model), model, content].join(SEPARATOR);
}

const answered = (v: string | null): Reply => ({ s: 'k', v, loc: null });

/** The text form of text[]: {"a","b",NULL}. */
function arrayLiteral(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`;
}
