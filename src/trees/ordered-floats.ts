/** Changes the bits of float32 so that as unsigned integers they have the numbers' order: the sign bit, of negative numbers all bits. */
export const orderedBits = (bits: number): number => (bits >= 0x80000000 ? ~bits : bits ^ 0x80000000) >>> 0;

/** Bits of a float32 from `orderedBits`. */
export const floatBits = (ordered: number): number => (ordered >= 0x80000000 ? ordered ^ 0x80000000 : ~ordered) >>> 0;

/** Sorts numbers in place; there must be no NaN. By three digits of 11 bits, which is quicker than TypedArray.sort. */
export function sortFloats(values: Float32Array): Float32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const keys = new Uint32Array(values.length);
  const other = new Uint32Array(values.length);
  for (let i = 0; i < bits.length; i++) keys[i] = orderedBits(bits[i] as number);
  sortByDigit(keys, other, 0);
  sortByDigit(other, keys, 11);
  sortByDigit(keys, other, 22);
  for (let i = 0; i < bits.length; i++) bits[i] = floatBits(other[i] as number);
  return values;
}

function sortByDigit(from: Uint32Array, to: Uint32Array, shift: number): void {
  const places = new Uint32Array(2048);
  for (let i = 0; i < from.length; i++) places[((from[i] as number) >>> shift) & 2047]!++;
  let place = 0;
  for (let digit = 0; digit < places.length; digit++) {
    const count = places[digit] as number;
    places[digit] = place;
    place += count;
  }
  for (let i = 0; i < from.length; i++) {
    const key = from[i] as number;
    to[places[(key >>> shift) & 2047]!++] = key;
  }
}
