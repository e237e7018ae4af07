import { endianness } from 'node:os';
import type { Dtype, TensorData } from '../../domain/tensor.ts';

/**
 * Named tensors as one file, in the format of https://github.com/huggingface/safetensors: the length of the header (uint64, little endian), the
 * header as JSON, the bytes of the tensors. Ten lines read or write it in any language.
 */

const names: Readonly<Record<Dtype, string>> = {
  float32: 'F32',
  int32: 'I32',
  int64: 'I64',
  uint8: 'U8',
  bool: 'BOOL',
};

const HEAD_BYTES = 8;
const MAX_HEADER_BYTES = 16 * 2 ** 20;

/** The parts of a file, to be written one after the other. */
export function tensorFile(tensors: Readonly<Record<string, TensorData>>): Uint8Array[] {
  if (endianness() !== 'LE') throw new RangeError('tensors are written on machines whose numbers are little endian');
  let end = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    const start = end;
    end += data.byteLength;
    return [name, { dtype: names[dtype], shape, data_offsets: [start, end] }] as const;
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const padding = (HEAD_BYTES - (json.length % HEAD_BYTES)) % HEAD_BYTES;
  const head = Buffer.alloc(HEAD_BYTES + json.length + padding, ' ');
  head.writeBigUInt64LE(BigInt(json.length + padding));
  json.copy(head, HEAD_BYTES);
  const bodies = Object.values(tensors).map(
    ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  );
  return [head, ...bodies];
}

/** The tensors of single precision of a file; undefined if the bytes are none, or a tensor is of another type. */
export function readFloatTensors(bytes: Buffer): Record<string, TensorData> | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  const length = Number(bytes.readBigUInt64LE(0));
  if (length > Math.min(MAX_HEADER_BYTES, bytes.length - HEAD_BYTES)) return undefined;
  const header = parsed(bytes.toString('utf8', HEAD_BYTES, HEAD_BYTES + length));
  if (typeof header !== 'object' || header === null) return undefined;
  const body = bytes.subarray(HEAD_BYTES + length);
  const tensors: Record<string, TensorData> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const tensor = floatTensor(entry, body);
    if (tensor === undefined) return undefined;
    tensors[name] = tensor;
  }
  return tensors;
}

function floatTensor(entry: unknown, body: Buffer): TensorData | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { dtype, shape, data_offsets: offsets }: { dtype?: unknown; shape?: unknown; data_offsets?: unknown } = entry;
  if (dtype !== names.float32 || !isCounts(shape) || !isCounts(offsets)) return undefined;
  const [start = 0, end = 0] = offsets;
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (start > end || end > body.length || end - start !== count * Float32Array.BYTES_PER_ELEMENT) return undefined;
  const copy = new Uint8Array(body.subarray(start, end)); // bytes of a file may not be aligned
  return { dtype: 'float32', shape, data: new Float32Array(copy.buffer) };
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 16 && value.every((entry) => Number.isSafeInteger(entry) && entry >= 0);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not the format
  }
}
