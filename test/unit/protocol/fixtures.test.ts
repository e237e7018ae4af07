import { expect, test } from 'vitest';
import { errorReply } from '../../../src/bridge/error-reply.ts';
import { InvalidParameter } from '../../../src/errors/errors.ts';
import { fingerprintOf } from '../../../src/protocol/fingerprint.ts';
import {
  answerReply,
  arrayLiteral,
  prefetchedReply,
  type Reply,
  readReply,
  ticketReply,
} from '../../../src/protocol/reply.ts';
import { keyOf, parseRequest, SEPARATOR, type Verb } from '../../../src/protocol/request.ts';
import { protocol } from '../../support/protocol-fixtures.ts';

const exchanges = protocol.calls.flatMap(({ call, exchanges }) => exchanges.map((each) => ({ call, ...each })));

test.each(exchanges)('the server reads $request of $call', ({ request, parsed }) => {
  const sent = request.join(SEPARATOR);
  if (parsed.verb !== 'R') expect(keyOf(sent)).toBe('KEY');
  expect(parseRequest(sent)).toEqual(parsed);
});

test.each(exchanges)('the server replies to $request of $call', ({ values, reply }) => {
  const { prefetched, ...row } = reply;
  expect(built(row, values)).toEqual(row);
  for (const each of prefetched ?? []) expect(built(each)).toEqual(each);
});

test('every verb, for texts and for images, and every letter of a reply has an example', () => {
  const verbs: Record<Verb, 'with images' | 'alone'> = {
    ...{
      P: 'with images',
      N: 'with images',
      A: 'with images',
      D: 'with images',
      B: 'with images',
      E: 'with images',
      V: 'with images',
    },
    R: 'alone',
  };
  const all = Object.entries(verbs).flatMap(([verb, form]) => (form === 'alone' ? [verb] : [verb, verb.toLowerCase()]));
  const letters: Record<Reply['s'], true> = { k: true, h: true, w: true, e: true, n: true };
  expect(sorted(exchanges.map(({ request }) => request[0] ?? ''))).toEqual(sorted(all));
  const replies = exchanges.flatMap(({ reply }) => [reply, ...(reply.prefetched ?? [])]);
  expect(sorted(replies.map(({ s }) => s))).toEqual(sorted(Object.keys(letters)));
});

test.each(protocol.fingerprints)('the server names the request $model, $input', ({ fingerprint, ...request }) => {
  expect(fingerprintOf(request)).toBe(fingerprint);
});

test.each([
  ['key', 64],
  ['role', 256],
])('a %s of %s characters is taken, and none that is longer', (name, most) => {
  const request = (chars: number): string => {
    const [key, role] = name === 'key' ? ['k'.repeat(chars), 'r'] : ['k'.repeat(64), 'r'.repeat(chars)];
    return ['P', key, role, '', '', '', 'text'].join(SEPARATOR);
  };
  expect(parseRequest(request(most))).toMatchObject({ verb: 'P', input: 'text' });
  expect(() => parseRequest(request(most + 1))).toThrowError(expect.objectContaining({ sqlstate: '08P01' }));
});

test('a ticket is all that follows its verb', () => {
  expect(parseRequest(`R${SEPARATOR}7`)).toEqual({ verb: 'R', ticket: '7' });
});

test.each([
  ['SQL', 'select 1', 'the bridge accepts prediction requests only, never SQL'],
  ['a verb without a field', 'P', 'the bridge accepts prediction requests only, never SQL'],
  ['a ticket in lower case', `r${SEPARATOR}7`, 'the bridge accepts prediction requests only, never SQL'],
  ['a request that ends early', `P${SEPARATOR}key${SEPARATOR}role`, 'the role of a request is missing or too long'],
  [
    'a class that is no string',
    `E${SEPARATOR}k${SEPARATOR}r${SEPARATOR}${SEPARATOR}${SEPARATOR}null${SEPARATOR}x`,
    'the class of a request is not a string',
  ],
  [
    'a key that is too long',
    `P${SEPARATOR}${'k'.repeat(65)}${SEPARATOR}`,
    'the key of a request is missing or too long',
  ],
])('the server refuses %s', (_, request, message) => {
  expect(() => parseRequest(request)).toThrowError(expect.objectContaining({ sqlstate: '08P01', message }));
});

const sorted = (letters: readonly string[]): string[] => [...new Set(letters)].toSorted();

/** The row as the server makes it of its parts. */
function built({ s, v, loc }: Reply, values?: (string | null)[]): unknown {
  switch (s) {
    case 'k':
      return answerReply(values === undefined ? v : arrayLiteral(values));
    case 'h':
      return readReply(v, loc ?? '');
    case 'w':
      return ticketReply(v ?? '');
    case 'n': {
      const [statement = '', , model = '', input = ''] = (loc ?? '').split(SEPARATOR);
      return prefetchedReply(v, { statement, model, input: input.slice(1) });
    }
    case 'e': {
      const { message, ...rest } = JSON.parse(v ?? '');
      return errorReply(new InvalidParameter(message, rest));
    }
  }
}
