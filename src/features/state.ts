import { CorruptParams } from '../errors/errors.ts';

/** Reads fitted state from storage. Throws CorruptParams for invalid values. */
export function readInteger(state: Record<string, unknown>, name: string): number {
  const value = state[name];
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw unfit(name, 'an integer');
}

/** Numbers, one per colour. */
export function readColours(state: Record<string, unknown>, name: string): number[] {
  const value = state[name];
  if (Array.isArray(value) && value.length === 3 && value.every((entry) => typeof entry === 'number')) return value;
  throw unfit(name, 'three numbers');
}

/** 32-bit integers stored as little-endian bytes. */
export function readInt32s(state: Record<string, unknown>, name: string): Int32Array {
  const value = state[name];
  if (!(value instanceof Uint8Array) || value.byteLength % 4 !== 0) throw unfit(name, 'bytes of 32-bit integers');
  return new Int32Array(new Uint8Array(value).buffer); // a copy, because bytes of a message may not be aligned
}

export const int32Bytes = (values: Int32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();

/** 32-bit floats stored as little-endian bytes. */
export function readFloat32s(state: Record<string, unknown>, name: string): Float32Array {
  return new Float32Array(readInt32s(state, name).buffer);
}

export const float32Bytes = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();

export function readNumber(state: Record<string, unknown>, name: string): number {
  const value = state[name];
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw unfit(name, 'a number');
}

/** The error for invalid state. */
export function unfit(name: string, expected: string): CorruptParams {
  return new CorruptParams('the fitted features of the model cannot be read', {
    detail: `state "${name}" is not ${expected}`,
    hint: 'Train the model again, or deploy another version of it.',
  });
}
