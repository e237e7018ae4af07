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
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++) found.push(i * step);
  return found;
}

export const tickText = (value: number): string => Number(value.toPrecision(4)).toString();
