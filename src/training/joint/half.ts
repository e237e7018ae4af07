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
/** As a number. */
const LARGEST = 65_504;
/** Bits in single precision: of infinity, of what would round to more than the largest half, of the smallest normal half, of 0.5. */
const infinity32 = 0x7f80_0000;
const tooLarge32 = 0x477f_f000;
const normal32 = 0x3880_0000;
const half32 = 0x3f00_0000;
/** 2⁻¹⁵ · 2¹²⁷: the difference of the two exponents' biases, in the place of the exponent. */
const bias32 = 0x3800_0000;

/**
 * To half precision (IEEE 754 binary16), rounded to the nearest number, ties to even; larger ones become the largest finite one. Leaves
 * in `values` what rounding took from them. On the bits: a library's conversion takes many times as long, and there are millions of
 * numbers in a round.
 */
export function takeHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  const rounded = new Float32Array(1);
  const roundedBits = new Uint32Array(rounded.buffer);
  for (let i = 0; i < values.length; i++) {
    const all = bits[i] as number;
    const size = all & 0x7fff_ffff;
    const value = values[i] as number;
    let half: number;
    let taken: number;
    if (size >= normal32 && size < tooLarge32) {
      const nearest = (size + 0xfff + ((size >>> 13) & 1)) & ~0x1fff;
      half = (nearest - bias32) >>> 13;
      roundedBits[0] = nearest;
      taken = rounded[0] as number;
    } else if (size < normal32) {
      // The last bit of 0.5 in single precision is the unit of these halves, 2⁻²⁴: adding rounds to it.
      rounded[0] = Math.abs(value) + 0.5;
      half = (roundedBits[0] as number) - half32;
      taken = (rounded[0] as number) - 0.5;
    } else {
      half = size > infinity32 ? notANumber : largest;
      taken = size > infinity32 ? Number.NaN : LARGEST;
    }
    halves[i] = ((all >>> 16) & sign) | half;
    values[i] = value - (all >>> 31 === 0 ? taken : -taken);
  }
  return halves;
}

export function fromHalf(halves: Uint16Array): Float32Array {
  const table = halfNumbers();
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = table[halves[i] as number] as number;
  return values;
}
