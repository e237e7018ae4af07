import type { InputKind } from '../domain/task.ts';
import { ProtocolViolation, RequestTooLarge } from '../errors/errors.ts';
import { parseTerms, type Terms } from './terms.ts';
import { textsOf } from './text-array.ts';

export const SEPARATOR = '\x1f';

/** What is asked of which model: the caller's word for what the inputs are. */
export interface Asking {
  key: string;
  input: InputKind;
  /** Who asks, as the database says: each role has its turns. */
  role: string;
}

export interface PredictRequest extends Asking {
  /** An image is given in base64. */
  text: string;
}

export interface ArrayOfInputs extends Asking {
  texts: readonly (string | null)[];
}

/** A request of a backend; docs/architecture.md has the verbs. */
export type BridgeRequest =
  | ({ verb: 'P' | 'N'; statement: string; terms: Terms } & PredictRequest)
  | ({ verb: 'D'; terms: Terms } & PredictRequest)
  | ({ verb: 'A' | 'B'; terms: Terms } & ArrayOfInputs)
  /** Its rows are read only by who asked for them. */
  | ({ verb: 'V'; place: string; json: string } & Asking)
  | { verb: 'R'; ticket: string };

/** Those that state a key; in lower case they ask the same of images, which come in base64. */
const keyed = ['P', 'N', 'A', 'D', 'B', 'V'] as const;
type KeyedVerb = (typeof keyed)[number];
export type Verb = KeyedVerb | 'R';

/** Throws {@link ProtocolViolation}. */
export function verbOf(request: string): Verb {
  const first = request.slice(0, 1);
  const letter = first.toUpperCase();
  const verb = first === 'R' ? first : keyed.find((each) => each === letter);
  if (verb !== undefined && request[1] === SEPARATOR) return verb;
  throw new ProtocolViolation('the bridge takes prediction requests only, never SQL', {
    detail: `got "${request.slice(0, 40)}"`,
  });
}

const kindOf = (request: string): InputKind => (request < 'a' ? 'text' : 'image');

const MB = 2 ** 20;
/** A text has 8,000,000 bytes at most, and a part of an array as many: rafiki._exchange() and rafiki._predict_many(). */
const MAX_TEXT_BYTES = 8 * MB;
/** An image of 32 MiB in base64, as JSON, and the part of an array before it: rafiki._image_text() and rafiki_predict(). */
const MAX_IMAGE_BYTES = 48 * MB;

/** Throws {@link RequestTooLarge} where a request is longer than one of its kind may be. */
export function checkSize(request: string, bytes: number): void {
  const max = kindOf(request) === 'image' ? MAX_IMAGE_BYTES : MAX_TEXT_BYTES;
  if (bytes <= max) return;
  throw new RequestTooLarge('a prediction asks too much at once', {
    detail: `The request has ${(bytes / MB).toFixed(1)} MiB (${bytes} bytes); ${max / MB} MiB (${max} bytes) are the most.`,
    hint: 'Give shorter inputs, or an array in parts.',
  });
}

/** The most characters of those fields that no user types; the others are judged where they are read. */
const maxChars: Readonly<Record<string, number>> = { key: 64, role: 256, place: 256 };

/** The key of a request that has one, which is looked at before anything else. Throws {@link ProtocolViolation}. */
export const keyOf = (request: string): string => field(request, 'key', 2);

/** Throws {@link ProtocolViolation}, {@link RequestTooLarge}, or InvalidParameter for what a user has set. */
export function parseRequest(request: string): BridgeRequest {
  const verb = verbOf(request);
  if (verb === 'R') return { verb, ticket: request.slice(2) };
  const fields = new Fields(request);
  const asking: Asking = { key: fields.next('key'), input: kindOf(request), role: fields.next('role') };
  if (verb === 'V') return { verb, ...asking, place: fields.next('place'), json: fields.rest() };
  const terms = parseTerms(fields.next('budget'), fields.next('on_overdue'));
  if (verb === 'A' || verb === 'B') return { verb, ...asking, terms, texts: textsOf(fields.rest()) };
  if (verb === 'D') return { verb, ...asking, terms, text: fields.rest() };
  return { verb, ...asking, terms, statement: fields.next('statement'), text: fields.rest() };
}

/** What follows the verb; the last field takes the rest. */
class Fields {
  readonly #request: string;
  #at = 2;

  constructor(request: string) {
    this.#request = request;
  }

  next(name: string): string {
    const value = field(this.#request, name, this.#at);
    this.#at += value.length + 1;
    return value;
  }

  rest(): string {
    return this.#request.slice(this.#at);
  }
}

function field(request: string, name: string, from: number): string {
  const end = request.indexOf(SEPARATOR, from);
  const max = maxChars[name];
  if (end >= 0 && (max === undefined || end - from <= max)) return request.slice(from, end);
  throw new ProtocolViolation(`a request has no ${name}, or one that is too long`, {
    detail: `verb ${request.slice(0, 1)}${max === undefined ? '' : `, at most ${max} characters`}`,
  });
}
