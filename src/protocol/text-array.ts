import { ProtocolViolation, RequestTooLarge } from '../errors/errors.ts';

/** More than a part of an array has; so many at once take the event loop some milliseconds. */
const MAX_TEXTS = 65_536;

const opening = /\s*\[\s*/y;
const absent = /null/y;
const comma = /\s*,\s*/y;
const closing = /\s*\]\s*$/y;

/**
 * The texts of a JSON array of strings and nulls. Whether it is one is seen before it is parsed: JSON.parse takes 1.2 s for 8 MB of
 * brackets, and the event loop stands still meanwhile.
 */
export function textsOf(json: string): (string | null)[] {
  if (!isFlat(json)) throw notTexts();
  const texts = parsed(json) as (string | null)[];
  if (json.includes('\\u0000') && texts.some((text) => text?.includes('\0'))) throw notTexts();
  return texts;
}

function isFlat(json: string): boolean {
  let at = after(opening, json, 0);
  if (at >= 0 && after(closing, json, at) >= 0) return true;
  for (let count = 1; at >= 0; count++) {
    if (count > MAX_TEXTS) throw tooMany();
    const end = json[at] === '"' ? endOfString(json, at) : after(absent, json, at);
    if (end < 0) return false;
    if (json[end] === ',' && json[end + 1] === '"') at = end + 1;
    else if (after(closing, json, end) >= 0) return true;
    else at = after(comma, json, end);
  }
  return false;
}

/** Where a part that begins at a place ends; -1 where it does not. */
function after(part: RegExp, json: string, at: number): number {
  part.lastIndex = at;
  return part.test(json) ? part.lastIndex : -1;
}

/** Where a string ends whose quote is at `start`: at a quote with an even number of backslashes before it. */
function endOfString(json: string, start: number): number {
  for (let at = json.indexOf('"', start + 1); at >= 0; at = json.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (json[at - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return at + 1;
  }
  return -1;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw notTexts(cause);
  }
}

const notTexts = (cause?: unknown): ProtocolViolation =>
  new ProtocolViolation('the texts of a request are not a JSON array of nulls and strings without NUL', { cause });

const tooMany = (): RequestTooLarge =>
  new RequestTooLarge('a prediction asks too much at once', {
    detail: `The array has more than ${MAX_TEXTS} elements.`,
    hint: 'Give the array in parts.',
  });
