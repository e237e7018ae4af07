import { ProtocolViolation, RequestTooLarge } from '../errors/errors.ts';
import { readPackedArray } from './packed-array.ts';

/** Parsing this many blocks the event loop for some milliseconds. Parts of arrays have half as many. */
export const MAX_INPUTS = 65_536;

/** The first character of an array as base64; JSON begins with a bracket. */
const isBase64 = /^[A-Za-z0-9+/]/;
const opening = /\s*\[\s*/y;
const nullLiteral = /null/y;
const comma = /\s*,\s*/y;
const closing = /\s*\]\s*$/y;

/** The inputs of a request: a JSON array, or an array as Postgres sends it. Throws {@link ProtocolViolation} and {@link RequestTooLarge}. */
export function readInputs(given: string): (string | null)[] {
  if (!isBase64.test(given)) return parseInputs(given);
  const inputs = readPackedArray(given, MAX_INPUTS);
  if (inputs === 'too many') throw tooMany();
  return inputs;
}

/**
 * Parses a JSON array of strings and nulls. The syntax is checked first: JSON.parse takes 1.2 s for 8 MB of brackets
 * and blocks the event loop. Throws {@link ProtocolViolation} and {@link RequestTooLarge}.
 */
export function parseInputs(json: string): (string | null)[] {
  if (!isArrayOfStrings(json)) throw invalidInputs();
  const inputs = parsed(json) as (string | null)[];
  if (json.includes('\\u0000') && inputs.some((text) => text?.includes('\0'))) throw invalidInputs();
  return inputs;
}

function isArrayOfStrings(json: string): boolean {
  let at = endOf(opening, json, 0);
  if (at >= 0 && endOf(closing, json, at) >= 0) return true;
  for (let count = 1; at >= 0; count++) {
    if (count > MAX_INPUTS) throw tooMany();
    const end = json[at] === '"' ? endOfString(json, at) : endOf(nullLiteral, json, at);
    if (end < 0) return false;
    if (json[end] === ',' && json[end + 1] === '"') at = end + 1;
    else if (endOf(closing, json, end) >= 0) return true;
    else at = endOf(comma, json, end);
  }
  return false;
}

/** The end of a match of `part` that starts at `at`, or -1. */
function endOf(part: RegExp, json: string, at: number): number {
  part.lastIndex = at;
  return part.test(json) ? part.lastIndex : -1;
}

/**
 * The end of the string whose opening quote is at `start`, or -1. A quote after an odd number of backslashes is part of
 * the string.
 */
function endOfString(json: string, start: number): number {
  let at = json.indexOf('"', start + 1);
  for (let quotes = 0; at >= 0 && isEscaped(json, at); at = json.indexOf('"', at + 1))
    if (++quotes === MANY_QUOTES) return endOfQuoted(json, at + 1);
  return at < 0 ? at : at + 1;
}

const QUOTE = 34;
const BACKSLASH = 92;
/** With more quotes, as in an object in JSON, reading each character is quicker than searching for the next one. */
const MANY_QUOTES = 4;

function isEscaped(json: string, at: number): boolean {
  let backslashes = 0;
  while (json.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}

/** The same, character by character. `from` is not escaped. */
function endOfQuoted(json: string, from: number): number {
  for (let at = from; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at + 1;
  }
  return -1;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw invalidInputs(cause);
  }
}

const invalidInputs = (cause?: unknown): ProtocolViolation =>
  new ProtocolViolation('the inputs of a request are not a JSON array of nulls and strings without NUL', { cause });

const tooMany = (): RequestTooLarge =>
  new RequestTooLarge('a prediction request is too large', {
    detail: `The array has more than ${MAX_INPUTS} elements.`,
    hint: 'Split the array.',
  });
