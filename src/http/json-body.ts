import { isUtf8 } from 'node:buffer';
import { InvalidEncoding, InvalidParameter, RequestTooLarge } from '../errors/errors.ts';
import { jsonExcess } from '../runtime/frames/json-excess.ts';

/** Brackets that open, and commas, of a body. Parsing takes 0.3 µs for each, and an empty array of two bytes becomes many times that. */
const MAX_VALUES = 2 ** 21;

/**
 * Parses a JSON body. Throws {@link InvalidParameter}, {@link InvalidEncoding}, and for JSON that is deep or has many values {@link RequestTooLarge}.
 */
export function parseJson(body: Buffer, maxDepth: number): unknown {
  if (body.length === 0) return {};
  if (!isUtf8(body)) throw new InvalidEncoding('the body of the request is not valid UTF-8', { hint: 'Send UTF-8.' });
  const excess = jsonExcess(body, { depth: maxDepth, values: MAX_VALUES });
  if (excess === 'depth') {
    throw new RequestTooLarge('the body of the request is too deep', {
      detail: `More than ${maxDepth} brackets are within each other.`,
      hint: 'Flatten it.',
    });
  }
  if (excess === 'values') {
    throw new RequestTooLarge('the body of the request has too many values', {
      detail: `The maximum is ${MAX_VALUES} brackets and commas.`,
      hint: 'Split it.',
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
