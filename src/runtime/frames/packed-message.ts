import { ProtocolViolation } from '../../errors/errors.ts';
import { type JsonLimits, jsonExcess } from './json-excess.ts';

/**
 * Plain data with typed arrays as bytes, for a process whose word is not taken: the length of JSON, JSON, and then the bytes of the arrays and the
 * long texts in the order of their places. In their places are texts that begin with {@link MARK}: a letter of {@link codes}, and how many bytes.
 * Nothing else is made of it than objects, arrays, texts, numbers, and arrays of numbers.
 */
const HEAD_BYTES = 4;
/** As bytes they need no escapes, and no search for them. */
const LONG_CHARS = 1024;
/** A little more than the largest model says of itself, see `foreign/extent.ts`. */
const jsonLimits: JsonLimits = { depth: 128, values: 5_500_000, containers: 1_100_000 };
const MARK = '\0';
const TEXT = 't';
const NUMBER = 'n';

type NumberArray = Uint8Array | Int32Array | BigInt64Array | Float32Array | Float64Array;

const codes = { u: Uint8Array, i: Int32Array, l: BigInt64Array, f: Float32Array, d: Float64Array } as const;
type ArrayCode = keyof typeof codes;
const isArrayCode = (code: string): code is ArrayCode => Object.hasOwn(codes, code);

/** Numbers that JSON does not have. */
const unusual = new Map(
  [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((one) => [String(one), one]),
);
unusual.set('-0', -0);

/** In pieces, so that large arrays are not copied. Throws for what is no plain data. */
export function packMessage(message: unknown): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const json = Buffer.from(JSON.stringify(packed(message, parts)));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeInt32BE(json.length);
  return [head, json, ...parts];
}

function packed(value: unknown, parts: Uint8Array[]): unknown {
  const part = (code: string, bytes: Uint8Array): string => {
    parts.push(bytes);
    return `${MARK}${code}${bytes.length}`;
  };
  if (typeof value === 'string')
    return value.length >= LONG_CHARS || value.startsWith(MARK) ? part(TEXT, Buffer.from(value)) : value;
  if (typeof value === 'number')
    return Number.isFinite(value) && !Object.is(value, -0) ? value : `${MARK}${NUMBER}${nameOf(value)}`;
  if (typeof value === 'boolean' || value === undefined || value === null) return value;
  if (Array.isArray(value)) return value.map((own) => packed(own, parts));
  if (typeof value === 'object') {
    if (isNumberArray(value))
      return part(codeOf(value) as string, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null)
      return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, packed(own, parts)]));
  }
  throw new TypeError(`a message has a ${typeof value} that cannot be sent`);
}

const kinds = Object.entries(codes);
const codeOf = (value: object): string | undefined =>
  ArrayBuffer.isView(value) ? kinds.find(([, made]) => value instanceof made)?.[0] : undefined;

/** Whether it is an array of numbers that a message may have. */
export const isNumberArray = (value: object): value is NumberArray => codeOf(value) !== undefined;

const nameOf = (value: number): string => (value === 0 ? '-0' : String(value));

/**
 * What a message may have: JSON becomes texts of two bytes a character on V8's heap, which ends the process where it is full, and each part takes
 * hundreds of bytes, however short it is.
 */
export interface MessageExtent {
  jsonBytes: number;
  /** Arrays of numbers, and long texts. */
  parts: number;
}

/** Of a process whose word is taken. */
export const anyExtent: MessageExtent = { jsonBytes: Number.POSITIVE_INFINITY, parts: Number.POSITIVE_INFINITY };

/** Throws {@link ProtocolViolation} for bytes that are no message, or a larger one. Arrays of bytes are views of it. */
export function unpackMessage(body: Buffer, { jsonBytes, parts }: MessageExtent): unknown {
  try {
    const start = HEAD_BYTES + body.readInt32BE(0);
    if (start < HEAD_BYTES || start > body.length) throw new RangeError('its JSON is cut off');
    if (start - HEAD_BYTES > jsonBytes) throw new RangeError('its JSON is too long');
    const json = body.subarray(HEAD_BYTES, start);
    if (jsonExcess(json, jsonLimits) !== undefined)
      throw new RangeError('its JSON has too many values, or too many levels');
    const rest = { body, at: start, parts };
    const message = unpacked(JSON.parse(json.toString('utf8')), rest);
    if (rest.at !== body.length) throw new RangeError('it has more bytes than it names');
    return message;
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new ProtocolViolation('a message cannot be read', { detail: detail.slice(0, 200), cause });
  }
}

interface PartBytes {
  body: Buffer;
  /** Where the next part begins. */
  at: number;
  /** How many there may be. */
  parts: number;
}

/** In place: the value was just made of JSON, and has few levels. */
function unpacked(value: unknown, rest: PartBytes): unknown {
  if (typeof value === 'string') return value.startsWith(MARK) ? marked(value, rest) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (const [place, own] of value.entries())
      if (typeof own === 'string' || typeof own === 'object') value[place] = unpacked(own, rest);
    return value;
  }
  const fields = value as Record<string, unknown>;
  for (const key of Object.keys(fields)) fields[key] = unpacked(fields[key], rest);
  return fields;
}

function marked(text: string, rest: PartBytes): string | number | NumberArray {
  const [code, named] = [text.charAt(1), text.slice(2)];
  const number = unusual.get(named);
  if (code === NUMBER && number !== undefined) return number;
  if (--rest.parts < 0) throw new RangeError('it has too many parts');
  const bytes = /^\d{1,10}$/.test(named) ? Number(named) : Number.NaN;
  if (!(rest.at + bytes <= rest.body.length)) throw new RangeError('a part of it is cut off');
  const part = rest.body.subarray(rest.at, rest.at + bytes);
  rest.at += bytes;
  if (code === TEXT) return part.toString('utf8');
  if (isArrayCode(code)) return arrayOf(code, part);
  throw new RangeError('a part of it is of no known kind');
}

/** A copy, which is aligned; of bytes, which may be many, a view. Throws where the length fits no array. */
function arrayOf(code: ArrayCode, part: Buffer): NumberArray {
  if (code === 'u') return new Uint8Array(part.buffer, part.byteOffset, part.length);
  return new codes[code](new Uint8Array(part).buffer);
}
