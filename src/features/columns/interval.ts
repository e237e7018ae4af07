import type { NumberKind } from './column-kind.ts';
import { plainNumbers } from './number.ts';

const DAY = 86_400;
/** As Postgres' extract(epoch): a month has 30 days, twelve of them are a year of 365.25. */
const MONTH = 30 * DAY;
const YEAR = 365.25 * DAY;

const units: Readonly<Record<string, number>> = {
  ...{
    year: YEAR,
    mon: MONTH,
    month: MONTH,
    week: 7 * DAY,
    day: DAY,
    hour: 3600,
    min: 60,
    minute: 60,
    sec: 1,
    second: 1,
  },
  ...{ Y: YEAR, W: 7 * DAY, D: DAY, H: 3600, S: 1 }, // of ISO 8601, where M is a month or a minute
};

const amount = /^[+-]?\d+(?:\.\d+)?$/;
const clock = /^([+-]?)(\d+):([0-5]\d)(?::([0-5]\d(?:\.\d+)?|60(?:\.0+)?))?$/;
const yearMonth = /^([+-]?)(\d+)-(\d+)$/;
const iso = /^P((?:[+-]?\d+(?:\.\d+)?[YMWD])*)(?:T((?:[+-]?\d+(?:\.\d+)?[HMS])+))?$/;

/** Seconds of an interval in any of the styles in which Postgres writes it: IntervalStyle is the caller's. */
function readInterval(value: unknown): number | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  if (value === 'infinity') return Number.POSITIVE_INFINITY;
  if (value === '-infinity') return Number.NEGATIVE_INFINITY;
  const parts = iso.exec(value);
  if (parts !== null) return value === 'P' ? undefined : isoSeconds(parts[1], MONTH) + isoSeconds(parts[2], 60);
  const isAgo = value.endsWith(' ago');
  const seconds = wordsSeconds(value.replace(/^@ /, '').replace(/ ago$/, '').split(' '));
  return isAgo && seconds !== undefined ? -seconds : seconds;
}

function isoSeconds(part: string | undefined, m: number): number {
  const found = [...(part ?? '').matchAll(/([+-]?[\d.]+)([A-Z])/g)];
  return found.reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (unit === 'M' ? m : (units[unit] ?? Number.NaN)),
    0,
  );
}

/**
 * Of "1 year 2 mons -3 days 04:05:06.7", "@ 1 hour 5 mins" without the sign, or of the SQL standard: "+1-2 -3 +4:05:06", and "-3 4:05:06", where the
 * sign is that of both.
 */
function wordsSeconds(words: readonly string[]): number | undefined {
  let sum = 0;
  let timeSign = 1;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const [, sign, hours, minutes, seconds = 0] = clock.exec(word) ?? [];
    const [, yearSign, years, months] = yearMonth.exec(word) ?? [];
    if (hours !== undefined)
      sum += signOf(sign, timeSign) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
    else if (years !== undefined) sum += signOf(yearSign, 1) * (Number(years) * YEAR + Number(months) * MONTH);
    else if (amount.test(word)) {
      const next = words[at + 1];
      const unit = units[next?.replace(/s$/, '') ?? ''];
      if (unit !== undefined) at++;
      else if (next === undefined ? words.length > 1 : !clock.test(next)) return undefined;
      else timeSign = word.startsWith('-') ? -1 : 1;
      sum += Number(word) * (unit ?? (next === undefined ? 1 : DAY)); // the SQL standard writes days, and seconds alone, without a unit
    } else return undefined;
  }
  return sum;
}

const signOf = (sign: string | undefined, otherwise: number): number =>
  sign === '-' ? -1 : sign === '+' ? 1 : otherwise;

/** Intervals and times of day, in seconds. */
export const intervalKind: NumberKind = {
  name: 'interval',
  title: 'an interval or a time of day',
  types: ['interval', 'time'],
  stored: 'float64',
  read: readInterval,
  fit: () => ({}),
  features: () => [plainNumbers],
};
