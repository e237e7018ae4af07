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

/** Budgets come in a handful of spellings; more than this many are not from people. */
const maxRemembered = 256;
const remembered = new Map<string, number>();

/**
 * Milliseconds of a latency budget as a setting is written ('50ms', '1 s') or as Postgres prints an interval in any of its
 * styles ('00:00:00.05', '@ 0.05 secs', 'PT0.05S').
 */
export function parseDurationMs(text: string): number {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const ms = readMs(text);
  if (!(ms > 0) || !Number.isFinite(ms)) {
    throw new InvalidParameter('the latency budget is not a positive length of time', {
      detail: `got "${text.slice(0, 100)}"`,
      hint: `Write a number and a unit: set rafiki.latency_budget = '50ms'.`,
    });
  }
  if (remembered.size < maxRemembered) remembered.set(text, ms);
  return ms;
}

function readMs(text: string): number {
  const rest = text
    .toLowerCase()
    .replace(/^\s*@/, '')
    .replace(/^\s*p([^t]*)t/, '$1 ')
    .trim();
  const parts = /^(?:(\d+)\s+(?=\d+:))?((?:\d*\.?\d+\s*[a-z]+\s*)*)(?:(\d+):(\d{2})(?::(\d{2}(?:\.\d+)?))?)?$/.exec(
    rest,
  );
  if (rest === '' || parts === null) return Number.NaN;
  const [, days = '0', units = '', hours = '0', minutes = '0', seconds = '0'] = parts;
  let ms = Number(days) * 86_400_000 + Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1000;
  for (const [, amount, unit = ''] of units.matchAll(/(\d*\.?\d+)\s*([a-z]+)/g)) {
    ms += Number(amount) * (unitMs[unit] ?? unitMs[unit.replace(/s$/, '')] ?? (unit === 'm' ? 60_000 : Number.NaN));
  }
  return ms;
}
