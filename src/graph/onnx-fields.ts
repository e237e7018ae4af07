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

/** The messages of an ONNX file that can lead to a tensor: for each the fields that do, and the message that is in them. */
const inside = {
  model: { 7: 'graph', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  function: { 7: 'node', 11: 'attribute' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: {},
} as const satisfies Record<string, Readonly<Record<number, string>>>;

type MessageKind = keyof typeof inside;

/** Of a tensor: the places of its weights in another file, and 1 where they are there. */
const PLACES = 13;
const IS_ELSEWHERE = 14;

/** Each graph in a graph is three messages deeper. */
const MAX_NESTED = 32;

/**
 * Whether any tensor of a model has its weights in another file. It makes no objects, so that a file of 240 MB, which may have 120 million
 * fields, takes less than a second where nobody may wait longer. Throws a RangeError as {@link fieldsOf} does.
 */
export function hasExternalData(bytes: Uint8Array): boolean {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1, count = 0; ; scale *= 128, count++) {
      const byte = bytes[at++];
      if (byte === undefined || count > 9) throw new RangeError('it is cut off, or no ONNX file');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const visit = (kind: MessageKind, end: number, depth: number): boolean => {
    if (depth > MAX_NESTED) throw new RangeError('its graphs are nested too deeply');
    const parts: Readonly<Record<number, MessageKind>> = inside[kind];
    while (at < end) {
      const key = varint();
      checkKey(key);
      const [field, wire] = [Math.floor(key / 8), key % 8];
      const value = wire === 0 ? varint() : undefined;
      if (kind === 'tensor' && (field === PLACES || (field === IS_ELSEWHERE && value !== 0))) return true;
      if (wire === 0) continue;
      const length = wire === 2 ? varint() : wire === 5 ? 4 : wire === 1 ? 8 : -1;
      if (length < 0 || at + length > end) throw new RangeError('it is cut off, or no ONNX file');
      const part = wire === 2 ? parts[field] : undefined;
      if (part === undefined) at += length;
      else if (visit(part, at + length, depth + 1)) return true;
    }
    if (at > end) throw new RangeError('it is cut off, or no ONNX file');
    return false;
  };
  return visit('model', bytes.length, 0);
}

/**
 * Readers of protobuf keep 32 bits of a key: one that has more would be another field for them than it is here. Throws a RangeError for such
 * a one.
 */
function checkKey(key: number): void {
  if (key < 8 || key >= 2 ** 32) throw new RangeError('it is no ONNX file');
}
