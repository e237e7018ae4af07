import type { InputKind } from '../domain/task.ts';
import { ProtocolViolation, RequestTooLarge } from '../errors/errors.ts';
import { parseInputs, readInputs } from './input-array.ts';
import { type LatencyOptions, parseTerms } from './latency-options.ts';

export const SEPARATOR = '\x1f';

/** The fields that all prediction requests have. */
export interface ModelRequest {
  key: string;
  inputKind: InputKind;
  /** The calling role, as the database reports it. The queue shares the device among roles. */
  role: string;
}

export interface PredictRequest extends ModelRequest {
  /** An image is base64. */
  input: string;
}

export interface ExplainRequest extends PredictRequest {
  /** The class that is explained; null: the predicted one, or a number. */
  about: string | null;
}

export interface ArrayInputs extends ModelRequest {
  inputs: readonly (string | null)[];
}

/** A backend's request; docs/architecture.md describes the verbs. */
export type BridgeRequest =
  | ({ verb: 'P' | 'N'; statement: string; latency: LatencyOptions } & PredictRequest)
  | ({ verb: 'D'; latency: LatencyOptions } & PredictRequest)
  | ({ verb: 'A' | 'B'; latency: LatencyOptions } & ArrayInputs)
  | ({ verb: 'E'; latency: LatencyOptions } & ExplainRequest)
  /** Rows that the database read ahead. Only the session that requested them parses them. */
  | ({ verb: 'V'; place: string; rows: string } & ModelRequest)
  | { verb: 'R'; ticket: string };

/** Verbs with a key. In lower case their inputs are images in base64. */
const keyedVerbs = ['P', 'N', 'A', 'D', 'B', 'E', 'V'] as const;
type KeyedVerb = (typeof keyedVerbs)[number];
export type Verb = KeyedVerb | 'R';

/** Throws {@link ProtocolViolation} for an unknown verb. */
export function verbOf(request: string): Verb {
  const first = request.slice(0, 1);
  const letter = first.toUpperCase();
  const verb = first === 'R' ? first : keyedVerbs.find((each) => each === letter);
  if (verb !== undefined && request[1] === SEPARATOR) return verb;
  throw new ProtocolViolation('the bridge accepts prediction requests only, never SQL', {
    detail: `got "${request.slice(0, 40)}"`,
  });
}

const inputKindOf = (request: string): InputKind => (request < 'a' ? 'text' : 'image');

const MB = 2 ** 20;
/**
 * Above the maximum of the SQL functions (cli/install/sql-constants.ts) for a text, and for one part of an array.
 */
const MAX_TEXT_BYTES = 8 * MB;
/** As above, for images in base64. */
const MAX_IMAGE_BYTES = 48 * MB;

/** Throws {@link RequestTooLarge} if the request is longer than its input kind allows. */
export function checkSize(request: string, bytes: number): void {
  const max = inputKindOf(request) === 'image' ? MAX_IMAGE_BYTES : MAX_TEXT_BYTES;
  if (bytes <= max) return;
  throw new RequestTooLarge('a prediction request is too large', {
    detail: `The request has ${(bytes / MB).toFixed(1)} MiB (${bytes} bytes); the maximum is ${max / MB} MiB (${max} bytes).`,
    hint: 'Use shorter inputs, or split the array.',
  });
}

/**
 * Maximum length, in characters, of the fields that the SQL functions fill in. The other fields are checked where they
 * are parsed.
 */
const maxChars: Readonly<Record<string, number>> = { key: 64, role: 256, place: 256, class: 6200 };

/** The access key, which is checked before anything else is parsed. Throws {@link ProtocolViolation}. */
export const keyOf = (request: string): string => field(request, 'key', 2);

/** Throws {@link ProtocolViolation}, {@link RequestTooLarge}, or InvalidParameter for a setting of the user. */
export function parseRequest(request: string): BridgeRequest {
  const verb = verbOf(request);
  if (verb === 'R') return { verb, ticket: request.slice(2) };
  const fields = new Fields(request);
  const model: ModelRequest = { key: fields.next('key'), inputKind: inputKindOf(request), role: fields.next('role') };
  if (verb === 'V') return { verb, ...model, place: fields.next('place'), rows: fields.rest() };
  const latency = parseTerms(fields.next('budget'), fields.next('on_overdue'));
  if (verb === 'A' || verb === 'B') return { verb, ...model, latency, inputs: readInputs(fields.rest()) };
  if (verb === 'E') return { verb, ...model, latency, about: classIn(fields.next('class')), input: fields.rest() };
  if (verb === 'D') return { verb, ...model, latency, input: fields.rest() };
  return { verb, ...model, latency, statement: fields.next('statement'), input: fields.rest() };
}

/** A name may contain separators, so it is a string in JSON, of at most six characters for each of its own; empty: none is named. */
function classIn(json: string): string | null {
  if (json === '') return null;
  const [name] = parseInputs(`[${json}]`);
  if (typeof name === 'string') return name;
  throw new ProtocolViolation('the class of a request is not a string');
}

/** The fields after the verb; the last one may contain separators. */
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
  throw new ProtocolViolation(`the ${name} of a request is missing or too long`, {
    detail: `verb ${request.slice(0, 1)}${max === undefined ? '' : `, at most ${max} characters`}`,
  });
}
