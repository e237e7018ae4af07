import { hash } from 'node:crypto';
import type { InputKind } from '../domain/task.ts';
import { InvalidParameter, ProtocolViolation, UndefinedObject } from '../errors/errors.ts';
import type { Along, Client } from '../serving/client.ts';
import type { OnOverdue, Terms } from '../serving/questions.ts';
import type { Serving } from '../serving/serving.ts';
import { parseDurationMs } from './duration.ts';
import type { Reply } from './messages.ts';
import type { Conversation } from './session.ts';

const SEPARATOR = '\x1f';
/** A backend must look up from waiting this often, or Ctrl-C and statement_timeout do not bite. */
const LONG_POLL_MS = 100;
/** Answers that one session may still come back for; a backend runs one call at a time. */
const MAX_TICKETS = 8;

/** What of serving the requests need. */
export type Predictions = Pick<Serving, 'connect' | 'describe'>;

/** The requests of docs/architecture.md, for one session. */
export class Verbs implements Conversation {
  readonly #serving: Predictions;
  readonly #client: Client;
  readonly #tickets = new Map<string, Promise<Reply>>();
  #nextTicket = 1;
  /** Rows that were read ahead, to be taken when the reply is on its way, and before the next request. */
  #takeRows: (() => void) | undefined;

  constructor(serving: Predictions) {
    this.#serving = serving;
    this.#client = serving.connect();
  }

  answer(request: string): Reply | Promise<Reply> {
    this.#settle();
    switch (request.slice(0, 2).toUpperCase()) {
      case `P${SEPARATOR}`:
        return this.#predict(inputOf(request), fields(request, 7));
      case `N${SEPARATOR}`:
        return this.#predictNext(inputOf(request), fields(request, 7));
      case `A${SEPARATOR}`:
        return this.#predictArray(inputOf(request), fields(request, 6));
      case `D${SEPARATOR}`:
        return this.#detail(inputOf(request), fields(request, 6));
      case `V${SEPARATOR}`:
        return this.#readAhead(inputOf(request), fields(request, 5));
      case `R${SEPARATOR}`:
        return this.#redeem(request.slice(2));
      case 'S':
        return answered(JSON.stringify(this.#serving.describe()));
      default:
        throw new ProtocolViolation('the bridge takes prediction requests only, never SQL', {
          detail: `got "${request.slice(0, 40)}"`,
        });
    }
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
    [, key = '', role = '', budget = '', onOverdue = '', statement = '', text = '']: string[],
  ): Reply | Promise<Reply> {
    const { label, wish } = this.#client.scan({ key, input, role, text, statement }, terms(budget, onOverdue));
    const reply = (value: string | null): Reply => ({ s: wish === null ? 'k' : 'h', v: value, loc: wish });
    return label instanceof Promise ? this.#patiently(label.then(reply)) : reply(label);
  }

  /** As P, and what the scan asks next may come along. */
  #predictNext(input: InputKind, request: string[]): Reply | Promise<Reply> {
    const [, , role = '', , , statement = ''] = request;
    const withAlong = (reply: Reply): Reply =>
      reply.s === 'k' && statement !== '' ? { ...reply, along: this.#along(role) } : reply;
    const reply = this.#predict(input, request);
    return reply instanceof Promise ? reply.then(withAlong) : withAlong(reply);
  }

  /**
   * To the role itself that the session has: whoever calls a function that predicts with its owner's rights could otherwise take
   * what is its owner's, by his name.
   */
  #along(role: string): Reply[] {
    const answers = this.#client.along((statement) => callerOf(statement) === role);
    return answers.map((along) => ({ s: 'n', v: along.label, loc: questionOf(along) }));
  }

  #predictArray(
    input: InputKind,
    [, key = '', role = '', budget = '', onOverdue = '', texts = '']: string[],
  ): Promise<Reply> {
    const labels = this.#client.predictMany({ key, input, role, texts: textArray(texts) }, terms(budget, onOverdue));
    return this.#patiently(labels.then((values) => answered(arrayLiteral(values))));
  }

  #detail(input: InputKind, [, key = '', role = '', budget = '', onOverdue = '', text = '']: string[]): Promise<Reply> {
    const detail = this.#client.detail({ key, input, role, text }, terms(budget, onOverdue));
    return this.#patiently(detail.then((value) => answered(value === null ? null : JSON.stringify(value))));
  }

  #readAhead(input: InputKind, [, key = '', role = '', place = '', texts = '']: string[]): Reply {
    this.#takeRows = this.#client.readAhead({ key, input, role }, { place, texts: textArray(texts) });
    setImmediate(() => this.#settle());
    return { ...answered(null), along: this.#along(role) };
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

/** A longer text is known by its hash in the reply that its answer goes along with. */
const HASH_ABOVE_BYTES = 256;

/** What an answer that goes along is to: a backend takes it for this statement, model and text only. */
function questionOf({ statement, model, text }: Along): string {
  const content = Buffer.byteLength(text) <= HASH_ABOVE_BYTES ? `=${text}` : `#${hash('sha256', text, 'hex')}`;
  return [statement, Buffer.byteLength(model), model, content].join(SEPARATOR);
}

const answered = (v: string | null): Reply => ({ s: 'k', v, loc: null });

/** The verbs in lower case ask the same of images, which come in base64. */
const inputOf = (request: string): InputKind => (request < 'a' ? 'text' : 'image');

/** Splits at the separator into `count` fields, of which the last takes the rest. */
function fields(request: string, count: number): string[] {
  const parts: string[] = [];
  let at = 0;
  while (parts.length < count - 1) {
    const end = request.indexOf(SEPARATOR, at);
    if (end < 0) throw new ProtocolViolation('a request has too few fields', { detail: `verb ${request.slice(0, 1)}` });
    parts.push(request.slice(at, end));
    at = end + 1;
  }
  parts.push(request.slice(at));
  return parts;
}

const onOverdueValues: readonly string[] = ['answer', 'error', 'null'] satisfies OnOverdue[];
const isOnOverdue = (value: string): value is OnOverdue => onOverdueValues.includes(value);

function terms(budget: string, onOverdue: string): Terms {
  const chosen = onOverdue === '' ? 'answer' : onOverdue.toLowerCase();
  if (!isOnOverdue(chosen)) {
    throw new InvalidParameter('rafiki.on_overdue has a value that is not known', {
      detail: `got "${onOverdue.slice(0, 100)}"`,
      hint: `Use one of ${onOverdueValues.join(', ')}.`,
    });
  }
  return { budgetMs: budget === '' ? null : parseDurationMs(budget), onOverdue: chosen };
}

function textArray(json: string): (string | null)[] {
  const values = parseJson(json);
  if (!Array.isArray(values)) throw new ProtocolViolation('the texts of a request are not a JSON array');
  return values.map((value: unknown) => {
    if (value === null || (typeof value === 'string' && !value.includes('\0'))) return value;
    throw new ProtocolViolation('the texts of a request are nulls and strings without NUL only');
  });
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new ProtocolViolation('the texts of a request are not JSON', { cause });
  }
}

/** The text form of text[]: {"a","b",NULL}. */
function arrayLiteral(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`;
}
