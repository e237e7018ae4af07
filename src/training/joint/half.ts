import { Float16Array } from '@petamoriken/float16';

/** The numbers of all 65,536 bit patterns: reading a table is a hundred times as quick as decoding bits. */
let numbers: Float32Array | undefined;

export function halfNumbers(): Float32Array {
  numbers ??= Float32Array.from(new Float16Array(Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).buffer));
  return numbers;
}

const sign = 0x8000;
const notANumber = 0x7e00;
const largest = 0x7bff;
/** Bits in single precision: of infinity, of what would round to more than the largest half, of the smallest normal half, of 0.5. */
const infinity32 = 0x7f80_0000;
const tooLarge32 = 0x477f_f000;
const normal32 = 0x3880_0000;
const half32 = 0x3f00_0000;
/** 2⁻¹⁵ · 2¹²⁷: the difference of the two exponents' biases, in the place of the exponent. */
const bias32 = 0x3800_0000;

/**
 * To half precision (IEEE 754 binary16), rounded to the nearest number, ties to even; larger ones become the largest
 * finite one. On the bits: a library's conversion takes many times as long, and
 * there are millions of numbers in a round.
 */
export function toHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  const sum = new Float32Array(1);
  const sumBits = new Uint32Array(sum.buffer);
  for (let i = 0; i < values.length; i++) {
    const all = bits[i] as number;
    const size = all & 0x7fff_ffff;
    let half: number;
    if (size >= normal32 && size < tooLarge32) {
      half = (size - bias32 + 0xfff + ((size >>> 13) & 1)) >>> 13;
    } else if (size < normal32) {
      // The last bit of 0.5 in single precision is the unit of these halves, 2⁻²⁴: adding rounds to it.
      sum[0] = Math.abs(values[i] as number) + 0.5;
      half = (sumBits[0] as number) - half32;
    } else half = size > infinity32 ? notANumber : largest;
    halves[i] = ((all >>> 16) & sign) | half;
  }
  return halves;
}

export function fromHalf(halves: Uint16Array): Float32Array {
  const table = halfNumbers();
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = table[halves[i] as number] as number;
  return values;
}
