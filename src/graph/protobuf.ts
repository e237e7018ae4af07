// The wire types of protobuf that an ONNX file needs; each function returns one encoded field.

const utf8 = new TextEncoder();

/** A field whose value is an integer (wire type 0); negative numbers take ten bytes, as int64 does. */
export function varintField(field: number, value: number | bigint): Uint8Array {
  return concatBytes([varint(BigInt(field << 3)), varint(BigInt.asUintN(64, BigInt(value)))]);
}

/** A field of several integers, packed: wire type 2. */
export const varintsField = (field: number, values: readonly number[]): Uint8Array =>
  bytesField(field, Uint8Array.from(values.flatMap((value) => varintBytes(BigInt.asUintN(64, BigInt(value))))));

/** A field of bytes: a nested message or raw data (wire type 2). */
export function bytesField(field: number, bytes: Uint8Array): Uint8Array {
  return concatBytes([varint(BigInt((field << 3) | 2)), varint(BigInt(bytes.length)), bytes]);
}

export function stringField(field: number, text: string): Uint8Array {
  return bytesField(field, utf8.encode(text));
}

/** A 32-bit float (wire type 5). */
export function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return concatBytes([varint(BigInt((field << 3) | 5)), bytes]);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const varint = (value: bigint): Uint8Array => Uint8Array.from(varintBytes(value));

function varintBytes(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 128);
  } while (rest !== 0n);
  return bytes;
}
