import { isUtf8 } from 'node:buffer';
import { InvalidEncoding, InvalidParameter, RequestTooLarge } from '../errors/errors.ts';

const [quote, backslash, open, openList, close, closeList] = [0x22, 0x5c, 0x7b, 0x5b, 0x7d, 0x5d];

/** Parses a JSON body. Throws {@link InvalidParameter}, {@link InvalidEncoding}, and for deep JSON {@link RequestTooLarge}. */
export function parseJson(body: Buffer, maxDepth: number): unknown {
  if (body.length === 0) return {};
  if (!isUtf8(body)) throw new InvalidEncoding('the body of the request is not valid UTF-8', { hint: 'Send UTF-8.' });
  if (isDeeper(body, maxDepth)) {
    throw new RequestTooLarge('the body of the request is too deep', {
      detail: `More than ${maxDepth} brackets are within each other.`,
      hint: 'Flatten it.',
    });
  }
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new InvalidParameter('the body of the request is not JSON', {
      detail: (cause as Error).message.slice(0, 200),
      hint: 'Send one JSON value in UTF-8.',
      cause,
    });
  }
}

/** Whether brackets outside of strings are nested more than `max` deep; 2 ns a byte, where parsing them would take 150. */
function isDeeper(body: Buffer, max: number): boolean {
  let depth = 0;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (byte === quote) at = endOfString(body, at);
    else if (byte === open || byte === openList) {
      if (++depth > max) return true;
    } else if (byte === close || byte === closeList) depth--;
  }
  return false;
}

/** The place of the closing quote, or the end of the body. */
function endOfString(body: Buffer, start: number): number {
  for (let at = body.indexOf(quote, start + 1); at >= 0; at = body.indexOf(quote, at + 1)) {
    let backslashes = 0;
    while (body[at - 1 - backslashes] === backslash) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return body.length;
}
