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

/** As `rafiki._budget_ms` has it. */
const maxMs = 30 * 86_400_000;
/** Postgres prints no interval that is longer. */
const maxChars = 64;
/** Budgets come in a handful of spellings; more than this many are not from people. */
const maxRemembered = 256;
const remembered = new Map<string, number>();

/**
 * Milliseconds of a latency budget as a setting is written ('50ms', '1 s') or as Postgres prints an interval in any of its
 * styles ('00:00:00.05', '@ 0.05 secs', 'PT0.05S').
 */
export function parseDurationMs(text: string): number {
  if (text.length > maxChars) throw refused(`it has ${text.length} characters, ${maxChars} are the most`);
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const ms = readMs(text);
  if (!(ms > 0) || ms > maxMs) throw refused(`got "${text}"`);
  if (remembered.size < maxRemembered) remembered.set(text, ms);
  return ms;
}

const refused = (detail: string): InvalidParameter =>
  new InvalidParameter('the latency budget is no length of time above 0 and of at most 30 days', {
    detail,
    hint: `Write a number and a unit: set rafiki.latency_budget = '50ms'.`,
  });

/** The parts of a length of time. Each can be read in one way only, so that reading is linear in its length. */
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
