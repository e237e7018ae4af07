import { InvalidParameter } from '../errors/errors.ts';

const unitMs: Record<string, number> = {
  us: 0.001,
  usec: 0.001,
  ms: 1,
  msec: 1,
  millisecond: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
};

/** Also of `rafiki._budget_ms`. */
export const MAX_BUDGET_DAYS = 30;
/** The longest interval that Postgres prints is shorter. */
const maxChars = 64;
/** Callers use few different spellings; the limit bounds the memory of the cache. */
const maxCached = 256;
const cache = new Map<string, number>();

/**
 * Parses a latency budget to milliseconds: a setting ('50ms', '1 s') or an interval in any of Postgres' output styles
 * ('00:00:00.05', '@ 0.05 secs', 'PT0.05S'). Throws {@link InvalidParameter}.
 */
export function parseDurationMs(text: string): number {
  if (text.length > maxChars) throw invalidBudget(`it has ${text.length} characters; the maximum is ${maxChars}`);
  const known = cache.get(text);
  if (known !== undefined) return known;
  const ms = readMs(text);
  if (!(ms > 0) || ms > MAX_BUDGET_DAYS * 86_400_000) throw invalidBudget(`got "${text}"`);
  if (cache.size < maxCached) cache.set(text, ms);
  return ms;
}

const invalidBudget = (detail: string): InvalidParameter =>
  new InvalidParameter(`the latency budget is not a duration above 0 and up to ${MAX_BUDGET_DAYS} days`, {
    detail,
    hint: `Write a number and a unit: set rafiki.latency_budget = '50ms'.`,
  });

/**
 * The parts of a duration. Each pattern matches in one way only, so parsing takes time linear in the length of the
 * text.
 */
const daysBefore = /(\d+)\s+(?=\d+:)/y;
const amount = /(\d+(?:\.\d+)?|\.\d+)\s*([a-z]+)\s*/y;
const clock = /(\d+):(\d{2})(?::(\d{2}(?:\.\d+)?))?/y;

function readMs(text: string): number {
  const rest = text
    .toLowerCase()
    .replace(/^\s*@/, '')
    .replace(/^\s*p([^t]*)t/, '$1 ')
    .trim();
  if (rest === '') return Number.NaN;
  let at = 0;
  const take = (part: RegExp): RegExpExecArray | null => {
    part.lastIndex = at;
    const found = part.exec(rest);
    if (found !== null) at = part.lastIndex;
    return found;
  };
  let ms = Number(take(daysBefore)?.[1] ?? 0) * 86_400_000;
  for (let part = take(amount); part !== null; part = take(amount)) ms += Number(part[1]) * inMs(part[2] as string);
  const [, hours = '0', minutes = '0', seconds = '0'] = take(clock) ?? [];
  ms += Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1000;
  return at === rest.length ? ms : Number.NaN;
}

const inMs = (unit: string): number =>
  unitMs[unit] ?? unitMs[unit.replace(/s$/, '')] ?? (unit === 'm' ? 60_000 : Number.NaN);
