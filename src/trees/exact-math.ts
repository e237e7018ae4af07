// Math.exp and Math.log may differ in the last digit between machines. These use additions, multiplications and divisions only, which IEEE 754
// rounds alike everywhere, so that a forest is the same on each of them.

/** ln 2 in two parts; the first has so few digits that multiples of it are exact (fdlibm, e_exp.c). */
const ln2High = 0.6931471803691238;
const ln2Low = 1.9082149292705877e-10;
const lowest = -700;

/** 2^k for k from −1022 to 1023; by doubling, because `**` need not be exact. */
const powersOfTwo = new Float64Array(2046);
powersOfTwo[1022] = 1;
for (let k = 1; k <= 1023; k++) powersOfTwo[1022 + k] = (powersOfTwo[1021 + k] as number) * 2;
for (let k = 1; k <= 1022; k++) powersOfTwo[1022 - k] = (powersOfTwo[1023 - k] as number) / 2;

export const powerOfTwo = (k: number): number => powersOfTwo[k + 1022] as number;

/** The nearest integer; of two the higher one. Math.round is slow on Node 20. */
export const nearest = (x: number): number => Math.floor(x + 0.5);

/** e^x with a relative error below 1e-15, for x held within [−700, 700]. */
export function exactExp(x: number): number {
  const held = Math.max(lowest, Math.min(-lowest, x));
  const k = nearest(held * Math.LOG2E);
  const r = held - k * ln2High - k * ln2Low;
  // Taylor's series to r^13: |r| is at most ln 2 / 2, so that the next term is below 5e-18. By Estrin's scheme, whose terms can be
  // computed at the same time.
  const r2 = r * r;
  const r4 = r2 * r2;
  const low = 1 + r + (1 / 2 + r * (1 / 6)) * r2 + (1 / 24 + r * (1 / 120) + (1 / 720 + r * (1 / 5040)) * r2) * r4;
  const high =
    1 / 40320 +
    r * (1 / 362880) +
    (1 / 3628800 + r * (1 / 39916800)) * r2 +
    (1 / 479001600 + r * (1 / 6227020800)) * r4;
  return (low + high * r4 * r4) * powerOfTwo(k);
}

/** ln x for x > 0, with an error of a few units in the last place. */
export function exactLog(x: number): number {
  let k = 0;
  let mantissa = x;
  for (; mantissa > Math.SQRT2; k++) mantissa /= 2;
  for (; mantissa < Math.SQRT1_2; k--) mantissa *= 2;
  // ln m = 2 artanh s with s = (m − 1) / (m + 1), by its series: |s| is at most 0.172, so that the next term is below 1e-18.
  const s = (mantissa - 1) / (mantissa + 1);
  let sum = 0;
  for (let n = 21; n >= 1; n -= 2) sum = sum * s * s + 1 / n;
  return k * Math.LN2 + 2 * s * sum;
}
