import { numbersOf } from '../../domain/table.ts';
import type { ColumnFeature, NumberKind } from './column-kind.ts';

const DAY_SECONDS = 86_400;
/** The first of January 1970 was a Thursday: this many days after a Monday. */
const THURSDAY = 3;
const YEAR_DAYS = 365.2425;

const pattern =
  /^(\d{4,7})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?\s*(Z|[+-]\d\d(?::?\d\d)?(?::?\d\d)?)?)?( BC)?$/;

/** Seconds since 1970, in UTC if there is a zone. `to_json` writes ISO 8601, whatever DateStyle the session has. */
function readTime(value: unknown): number | undefined {
  if (value === 'infinity') return Number.POSITIVE_INFINITY;
  if (value === '-infinity') return Number.NEGATIVE_INFINITY;
  const parts = typeof value === 'string' ? pattern.exec(value) : null;
  if (parts === null) return undefined;
  const [, year, month, day, hours = 0, minutes = 0, seconds = 0, zone, bc] = parts;
  const date = { year: bc === undefined ? Number(year) : 1 - Number(year), month: Number(month), day: Number(day) };
  if (!isDate(date) || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) >= 60) return undefined;
  const inDay = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return daysSince1970(date) * DAY_SECONDS + inDay - offsetSeconds(zone);
}

/** Of the Gregorian calendar, also for years before it, as in Postgres; 0 is the year before 1. */
interface CalendarDate {
  year: number;
  month: number;
  day: number;
}

function isDate({ year, month, day }: CalendarDate): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const next = month === 12 ? { year: year + 1, month: 1 } : { year, month: month + 1 };
  return daysSince1970({ year, month, day }) < daysSince1970({ ...next, day: 1 });
}

/** Postgres has dates far beyond those of `Date`. Years begin in March, so that a leap day is the last one (Richards 2013). */
function daysSince1970({ year, month, day }: CalendarDate): number {
  const marchYear = month > 2 ? year : year - 1;
  const inYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return 365 * marchYear + leapDays + inYear - 719_468;
}

/** Of a zone such as +05:30. */
function offsetSeconds(zone: string | undefined): number {
  const [hours = 0, minutes = 0, seconds = 0] = (zone ?? '').match(/\d\d/g)?.map(Number) ?? [];
  return (zone?.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
}

const part = (name: string, of: (seconds: number) => number): ColumnFeature => ({
  part: name,
  categories: 0,
  values(column, rows) {
    const numbers = numbersOf(column);
    const values = new Float32Array(rows.length);
    for (let i = 0; i < rows.length; i++) values[i] = of(numbers[rows[i] as number] as number);
    return values;
  },
});

const modulo = (value: number, by: number): number => value - by * Math.floor(value / by);

/** The days since 1970, which grow: a time after all training rows is the latest that a model knows. */
const days = part('days', (seconds) => seconds / DAY_SECONDS);
/** In [0, 1), from the mean beginning of a year. */
const season = part('season', (seconds) => modulo(seconds / DAY_SECONDS / YEAR_DAYS, 1));
/** 1 for Monday. */
const weekday = part('weekday', (seconds) => 1 + modulo(Math.floor(seconds / DAY_SECONDS) + THURSDAY, 7));
const hour = part('hour', (seconds) => modulo(seconds, DAY_SECONDS) / 3600);

/** Dates and timestamps, to the second: when it was, and where in the year, the week and the day. A zone is translated to UTC. */
export const timeKind: NumberKind = {
  name: 'time',
  title: 'a date or a timestamp',
  types: ['date', 'timestamp', 'timestamptz'],
  stored: 'float64',
  read: readTime,
  fit(column, rows) {
    const numbers = numbersOf(column);
    return { hasHours: rows.some((row) => modulo(numbers[row] as number, DAY_SECONDS) > 0) };
  },
  features: ({ hasHours }) => [days, season, weekday, ...(hasHours === true ? [hour] : [])],
};
