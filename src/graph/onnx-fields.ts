import { checkKey } from './external-data.ts';

const utf8 = new TextDecoder();
export const textOf = (bytes: Uint8Array): string => utf8.decode(bytes);

export interface OnnxField {
  field: number;
  /** Of wire type 2. */
  bytes?: Uint8Array;
  /** Of wire type 0: beyond 2^53 imprecise. */
  value?: number;
  /** The whole field, with its key. */
  whole: Uint8Array;
}

/** The fields of a protobuf message, in order. Throws a RangeError for bytes that are none, or are cut off. */
export function* fieldsOf(bytes: Uint8Array): Generator<OnnxField> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63) throw new RangeError('it is cut off, or no ONNX file');
      value += (byte & 127) * 2 ** shift; // beyond 2^53 imprecise, which only lengths must not be
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const from = at;
    const key = varint();
    checkKey(key);
    const [field, wire] = [Math.floor(key / 8), key % 8];
    if (wire === 0) {
      const value = varint();
      yield { field, value, whole: bytes.subarray(from, at) };
      continue;
    }
    const length = wire === 2 ? varint() : wire === 5 ? 4 : wire === 1 ? 8 : -1;
    if (length < 0 || at + length > bytes.length) throw new RangeError('it is cut off, or no ONNX file');
    const start = at;
    at += length;
    const whole = bytes.subarray(from, at);
    yield wire === 2 ? { field, bytes: bytes.subarray(start, at), whole } : { field, whole };
  }
}

/** The 64-bit numbers of a repeated field, whether packed or not. */
export function int64sOf({ bytes, whole }: OnnxField): bigint[] {
  const values: bigint[] = [];
  let [number, shift] = [0n, 0n];
  // of an unpacked one the key comes first, one byte for these fields
  for (const byte of bytes ?? whole.subarray(1)) {
    number |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte >= 128 && shift < 70n) continue;
    values.push(BigInt.asIntN(64, number));
    [number, shift] = [0n, 0n];
  }
  return values;
}

/** A node as a file has it. */
export interface OnnxNode {
  op: string;
  /** Empty for ONNX's own operators. */
  domain: string;
  inputs: string[];
  outputs: string[];
  /** Messages of their own. */
  attributes: Uint8Array[];
}

export function nodeOf(bytes: Uint8Array): OnnxNode {
  const node: OnnxNode = { op: '', domain: '', inputs: [], outputs: [], attributes: [] };
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 1) node.inputs.push(textOf(part));
    else if (field === 2) node.outputs.push(textOf(part));
    else if (field === 4) node.op = textOf(part);
    else if (field === 5) node.attributes.push(part);
    else if (field === 7) node.domain = ownDomain(textOf(part));
  }
  return node;
}

/** ONNX's own operators have two names for their domain. */
export const ownDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);
