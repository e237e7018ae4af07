import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InvalidEncoding, InvalidParameter, RequestTooLarge } from '../../../src/errors/errors.ts';
import { parseJson } from '../../../src/http/json-body.ts';

test('reads any JSON that is not deep', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      expect(parseJson(Buffer.from(JSON.stringify(value)), 64)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('counts brackets outside of texts only', () => {
  const text = JSON.stringify({ a: '[[[[[[\\"{{{{', b: ['\\', '"[[['] });
  expect(parseJson(Buffer.from(text), 2)).toEqual(JSON.parse(text));
  expect(() => parseJson(Buffer.from(text), 1)).toThrow(RequestTooLarge);
});

test('many brackets are refused before they are parsed', () => {
  expect(() => parseJson(Buffer.alloc(32_000_000, '['), 64)).toThrow(RequestTooLarge);
});

test('many values are refused before they are parsed, however flat they are', () => {
  const most = 2 ** 21;
  const wide = (value: string, values: number) => Buffer.from(`[${`${value},`.repeat(values)}0]`);
  for (const bytes of [wide('[]', most / 2), wide('{}', most / 2), wide('0', most)]) {
    expect(() => parseJson(bytes, 64)).toThrow(expect.objectContaining({ sqlstate: '54000', hint: 'Split it.' }));
  }
  expect(parseJson(wide('""', most - 1), 64)).toHaveLength(most);
  expect(parseJson(Buffer.from(JSON.stringify({ query: '[,'.repeat(most) })), 64)).toEqual(expect.any(Object));
});

test('what is no JSON or no UTF-8 is refused; nothing is an empty object', () => {
  expect(() => parseJson(Buffer.from('{'), 64)).toThrow(InvalidParameter);
  expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]), 64)).toThrow(InvalidEncoding);
  expect(parseJson(Buffer.alloc(0), 64)).toEqual({});
});
