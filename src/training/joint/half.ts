import { Float16Array } from '@petamoriken/float16';

/** The largest finite number of half precision. */
const MAX = 65_504;

/** The number of each of the 65,536 bit patterns: reading a table is a hundred times as quick as decoding bits. */
let numbers: Float32Array | undefined;

/** To half precision (IEEE 754 binary16), rounded to the nearest number; larger ones become the largest finite one. */
export function toHalf(values: Float32Array): Uint16Array {
  const finite = values.map((value) => Math.min(MAX, Math.max(-MAX, value)));
  return new Uint16Array(new Float16Array(finite).buffer);
}

export function fromHalf(bits: Uint16Array): Float32Array {
  numbers ??= Float32Array.from(new Float16Array(Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).buffer));
  const table = numbers;
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = table[bits[i] as number] as number;
  return values;
}
