const utf8 = new TextDecoder();

export const textOf = (bytes: Uint8Array): string => utf8.decode(bytes);

/** A field of a protobuf message. */
interface ProtobufField {
  field: number;
  /** Of wire type 2, and of numbers with a fixed width (1 and 5). */
  bytes?: Uint8Array;
  /** Of wire type 0, as int64; imprecise beyond ±2^53. */
  value?: number;
}

/** The fields of a protobuf message, in order. Throws a RangeError for bytes that are none. */
export function* fieldsOf(bytes: Uint8Array): Generator<ProtobufField> {
  const reader = new VarintReader(bytes);
  while (reader.at < bytes.length) {
    const key = reader.next();
    const [field, wire] = [Math.floor(key / 8), key % 8];
    if (field <= 0) throw new RangeError('it is no ONNX file');
    if (wire === 0) {
      yield { field, value: reader.next() };
      continue;
    }
    const length = wire === 2 ? reader.next() : wire === 5 ? 4 : wire === 1 ? 8 : -1;
    const start = reader.at;
    if (length < 0 || start + length > bytes.length) throw new RangeError('it is cut off, or no ONNX file');
    reader.at += length;
    yield { field, bytes: bytes.subarray(start, start + length) };
  }
}

/** The whole numbers of a repeated field: one, or several that are packed. */
export function intsOf({ value, bytes }: ProtobufField): number[] {
  if (bytes === undefined) return value === undefined ? [] : [value];
  const reader = new VarintReader(bytes);
  const values: number[] = [];
  while (reader.at < bytes.length) values.push(reader.next());
  return values;
}

class VarintReader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** An int64. A double holds small numbers of either sign exactly, if negative ones are read as the complement of their bits. */
  next(): number {
    let [value, complement] = [0, 0];
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined || shift > 63) throw new RangeError('it is cut off, or no ONNX file');
      const bits = byte & 127;
      if (shift === 63) return bits % 2 === 1 ? -complement - 1 : value;
      value += bits * 2 ** shift;
      complement += (127 - bits) * 2 ** shift;
      if (byte < 128) return value;
    }
  }
}
