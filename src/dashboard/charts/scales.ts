export type Scale = (value: number) => number;

export const linearScale =
  (from: number, to: number, low: number, high: number): Scale =>
  (value) =>
    to === from ? (low + high) / 2 : low + ((value - from) / (to - from)) * (high - low);

/** Least and greatest of the numbers, a little apart. Without any: 0 to 1. */
export function extent(values: Iterable<number | null | undefined>): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value == null || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  const apart = Math.max(Math.abs(low), 1) * 0.02;
  if (low === high) return [low - apart, high + apart];
  return [low, high];
}

/** As {@link extent}, of scores: those of shares stay within 0 and 1. */
export function scoreExtent(scores: readonly (number | null | undefined)[]): [number, number] {
  const [low, high] = extent(scores);
  const isShare = scores.every((score) => score == null || (score >= 0 && score <= 1));
  return isShare ? [Math.max(0, low), Math.min(1, high)] : [low, high];
}

const STEPS = [1, 2, 5, 10];

/** Round numbers between two, about `wanted` of them. */
export function ticks(from: number, to: number, wanted: number): number[] {
  const rough = (to - from) / Math.max(1, wanted);
  if (!(rough > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(rough));
  const at = STEPS.findIndex((each) => each * power >= rough);
  const found = multiples(from, to, power * (STEPS[at] ?? 10));
  return found.length > 0 ? found : multiples(from, to, power * (STEPS[at - 1] ?? 0.5)); // a step may be longer than from end to end
}

function multiples(from: number, to: number, step: number): number[] {
  const found: number[] = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++) found.push(i * step + 0); // not -0
  return found;
}

const grouped = new Map<number, Intl.NumberFormat>();
const MAX_DIGITS = 12;
/** From here on numbers are written as powers of ten. */
const HUGE = 1e9;

/** A number on an axis whose numbers are `step` apart: with as many digits as tell them apart, and no more. */
export function stepText(value: number, step: number): string {
  let digits = 0;
  while (
    digits < MAX_DIGITS &&
    !(10 ** -digits <= step * 1.0001 && Math.abs(rounded(step, digits) - step) <= step / 20)
  )
    digits++;
  if (Math.abs(value) >= HUGE) return value.toExponential(Math.max(0, Math.floor(Math.log10(Math.abs(value) / step))));
  const format =
    grouped.get(digits) ??
    new Intl.NumberFormat('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  grouped.set(digits, format);
  return format.format(value).replace(/^-(?=[0.,]*$)/, '');
}

const rounded = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits;

/** Ascending numbers of one axis as texts. */
export function axisTexts(values: readonly number[]): string[] {
  const steps = values.slice(1).map((value, i) => value - (values[i] as number));
  const step = Math.min(...steps.filter((each) => each > 0));
  return values.map((value) => stepText(value, Number.isFinite(step) ? step : Math.max(1e-6, Math.abs(value) / 1000)));
}

/** Places of values with nothing on either side: no line goes through them. */
export function lonePoints(values: ArrayLike<number | null | undefined>): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i++)
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
  return found;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIME_STEPS = [
  ...[0.2, 0.5, 1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 28].map((n) => n * DAY),
];

/** Round times from 0 on, seconds, at most so many. */
export function timeTicks(endS: number, most: number): number[] {
  const wanted = Math.max(1, most);
  const step = TIME_STEPS.find((each) => endS / each < wanted) ?? DAY * Math.ceil(endS / DAY / wanted + 1e-9);
  return multiples(0, endS, step);
}
