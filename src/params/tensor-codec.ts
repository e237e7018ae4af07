import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';
import type { Dtype, TensorData } from '../domain/tensor.ts';
import { CorruptParams } from '../errors/errors.ts';
import { sha256InTurns } from '../runtime/sha256.ts';

/** Plain msgpack without msgpackr's record extension, so that any msgpack library can read it. */
const msgpack = new Packr({ useRecords: false });

/** A stored tensor, identified by the hash of its bytes. */
export interface Blob {
  hash: Buffer;
  data: Buffer;
}

export function packTensor({ dtype, shape, data }: TensorData): Blob {
  const packed = msgpack.pack([dtype, shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
  return { hash: sha256(packed), data: packed };
}

/** Throws {@link CorruptParams} if the bytes do not match the hash or the shape. */
export async function unpackTensor({ hash, data }: Blob): Promise<TensorData> {
  if (!(await isTensorIntact({ hash, data })))
    throw corrupt(`the bytes of blob ${hash.toString('hex')} do not match their hash`);
  const [dtype, shape, bytes] = msgpack.unpack(data) as [Dtype, number[], Uint8Array];
  // the copy is aligned, a view may not be; files, which are the large ones, need no copy
  const values =
    dtype === 'uint8'
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
      : arrays[dtype]?.(new Uint8Array(bytes).buffer);
  const size = shape.reduce((product, dim) => product * dim, 1);
  if (values?.length !== size) throw corrupt(`blob ${hash.toString('hex')} is not a tensor of its shape`);
  return { dtype, shape, data: values };
}

export const isTensorIntact = async ({ hash, data }: Blob): Promise<boolean> =>
  (await sha256InTurns([data])).equals(hash);

export const packMeta = (meta: Record<string, unknown>): Buffer => msgpack.pack(meta);

export function unpackMeta(bytes: Buffer): Record<string, unknown> {
  const meta: unknown = msgpack.unpack(bytes);
  if (typeof meta !== 'object' || meta === null) throw corrupt('the metadata is not a map');
  return meta as Record<string, unknown>;
}

const arrays: Record<Dtype, (buffer: ArrayBuffer) => TensorData['data']> = {
  float32: (buffer) => new Float32Array(buffer),
  int32: (buffer) => new Int32Array(buffer),
  int64: (buffer) => new BigInt64Array(buffer),
  uint8: (buffer) => new Uint8Array(buffer),
  bool: (buffer) => new Uint8Array(buffer),
};

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

const corrupt = (detail: string): CorruptParams =>
  new CorruptParams('stored parameters are damaged', {
    detail,
    hint: 'Train the model again, or restore the table rafiki.blob, or the bucket, from a backup.',
  });
