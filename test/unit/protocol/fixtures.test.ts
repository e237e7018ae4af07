import { expect, test } from 'vitest';
import { fingerprintOf } from '../../../src/protocol/fingerprint.ts';
import { answerReply, arrayLiteral } from '../../../src/protocol/reply.ts';
import { keyOf, parseRequest, SEPARATOR } from '../../../src/protocol/request.ts';
import { protocol } from '../../support/protocol-fixtures.ts';

test.each(protocol.requests)('the server reads what SQL sends for $call', ({ request, parsed }) => {
  const sent = request.join(SEPARATOR);
  expect(keyOf(sent)).toBe('KEY');
  expect(parseRequest(sent)).toEqual(parsed);
});

test.each(protocol.requests.filter(({ values }) => values))('the server answers $call', ({ values, reply }) => {
  expect(answerReply(arrayLiteral(values ?? []))).toEqual(reply);
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
    'a key that is too long',
    `P${SEPARATOR}${'k'.repeat(65)}${SEPARATOR}`,
    'the key of a request is missing or too long',
  ],
])('the server refuses %s', (_, request, message) => {
  expect(() => parseRequest(request)).toThrowError(expect.objectContaining({ sqlstate: '08P01', message }));
});
