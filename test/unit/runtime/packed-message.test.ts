import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RafikiError } from '../../../src/errors/rafiki-error.ts';
import { anyExtent, packMessage, unpackMessage } from '../../../src/runtime/frames/packed-message.ts';

/** Plain data with typed arrays, for and from a process whose word is not taken. */
const bytesOf = (message: unknown): Buffer => Buffer.concat(packMessage(message));
const copied = (message: unknown): unknown => unpackMessage(bytesOf(message), anyExtent);

test('what is packed is unpacked', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string().map((own) => `\0${own}`),
    fc.string({ minLength: 1024, maxLength: 1100, unit: 'grapheme' }),
  );
  const numbers = fc.oneof(fc.float32Array(), fc.float64Array(), fc.int32Array(), fc.uint8Array(), fc.bigInt64Array());
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(text, numbers, fc.double(), fc.boolean(), fc.constant(null)),
      fc.array(tie('any'), { maxLength: 5 }),
      fc.dictionary(fc.oneof(text, fc.constant('__proto__')), tie('any'), { maxKeys: 5, noNullPrototype: true }),
    ),
  })).any;
  fc.assert(
    fc.property(value, (given) => {
      expect(copied(given)).toStrictEqual(given);
    }),
  );
});

test('numbers that JSON does not have, and members that are none', () => {
  const numbers = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0];
  expect(copied(numbers)).toStrictEqual(numbers);
  expect(copied({ a: undefined, b: 1 })).toStrictEqual({ b: 1 });
});

test('a buffer stays what it is: bytes', () => {
  expect(copied({ onnx: Buffer.from('abc') })).toStrictEqual({ onnx: new Uint8Array(Buffer.from('abc')) });
});

test('what is no plain data is not packed', () => {
  for (const value of [
    1n,
    () => 1,
    Symbol('a'),
    new Int16Array(1),
    new DataView(new ArrayBuffer(1)),
    new Map(),
    new Date(0),
  ])
    expect(() => packMessage({ value })).toThrow(TypeError);
});

test('a name that objects inherit from is a name like others, and nothing is inherited from it', () => {
  const { given } = copied({ given: JSON.parse('{"__proto__": {"polluted": 1}}') as object }) as { given: object };
  expect(Object.keys(given)).toEqual(['__proto__']);
  expect('polluted' in {} || 'polluted' in given).toBe(false);
});

test('any bytes are a message or an error of ours', () => {
  const readable = (bytes: Buffer): void => {
    try {
      unpackMessage(bytes, anyExtent);
    } catch (error) {
      expect(error).toBeInstanceOf(RafikiError);
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => readable(Buffer.from(bytes))));
  const whole = bytesOf({ a: [new Float32Array(3), 'x'.repeat(2000)], b: Number.NaN, c: '"\\' });
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(whole.length), (changes, length) => {
      const bytes = Buffer.from(whole);
      for (const [place, byte] of changes) bytes[place] = byte;
      readable(bytes);
      readable(bytes.subarray(0, length));
    }),
  );
});

const json = (text: string): Buffer => {
  const head = Buffer.alloc(4);
  head.writeInt32BE(Buffer.byteLength(text));
  return Buffer.concat([head, Buffer.from(text)]);
};

test.each([
  ['levels', '['.repeat(200) + ']'.repeat(200)],
  ['containers', `[${'[],'.repeat(1_200_000)}0]`],
  ['values', `[${'0,'.repeat(6_000_000)}0]`],
])('too many %s are refused before they are made', (_, text) => {
  expect(() => unpackMessage(json(text), anyExtent)).toThrowError(
    expect.objectContaining({ detail: 'its JSON has too many values, or too many levels' }),
  );
});

test('JSON and parts have an extent of their own, since they take more than their bytes', () => {
  const parts = bytesOf([new Float32Array(0), 'x'.repeat(2000), '\0']);
  expect(unpackMessage(parts, { ...anyExtent, parts: 3 })).toHaveLength(3);
  expect(() => unpackMessage(parts, { ...anyExtent, parts: 2 })).toThrowError(
    expect.objectContaining({ detail: 'it has too many parts' }),
  );
  expect(unpackMessage(json('"abc"'), { ...anyExtent, jsonBytes: 5 })).toBe('abc');
  expect(() => unpackMessage(json('"abcd"'), { ...anyExtent, jsonBytes: 5 })).toThrowError(
    expect.objectContaining({ detail: 'its JSON is too long' }),
  );
});

test('what is in texts does not count', () => {
  const text = `"${'[,'.repeat(3_000_000)}\\"[["`;
  expect(unpackMessage(json(text), anyExtent)).toBe(JSON.parse(text));
});
