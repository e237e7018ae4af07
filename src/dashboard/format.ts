const whole = new Intl.NumberFormat('en');

export const counted = (value: number | null | undefined): string => (value == null ? '–' : whole.format(value));

/** Of scores and probabilities. */
export const decimals = (value: number | null | undefined, digits = 4): string =>
  value == null ? '–' : value.toFixed(digits);

const ofNumbers = new Intl.NumberFormat('en', { maximumSignificantDigits: 6 });

/** Of numbers of any size, such as those that a regression predicts: whole ones as they are, shares with three decimals, others with three to six digits. */
export function significant(value: number | null | undefined): string {
  if (value == null) return '–';
  if (Number.isInteger(value)) return whole.format(value);
  if (Math.abs(value) > 1) return ofNumbers.format(value);
  return Math.abs(value) < 0.01 ? Number(value.toPrecision(3)).toString() : value.toFixed(3);
}

export const percent = (share: number | null | undefined, digits = 0): string =>
  share == null ? '–' : `${(100 * share).toFixed(digits)} %`;

/** Two units at most: 3 h 20 min. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null) return '–';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  const parts: [string, number][] = [
    ['d', Math.floor(s / 86_400)],
    ['h', Math.floor(s / 3600) % 24],
    ['min', Math.floor(s / 60) % 60],
    ['s', s % 60],
  ];
  const first = parts.findIndex(([, n]) => n > 0);
  return parts
    .slice(first, first + 2)
    .filter(([, n]) => n > 0)
    .map(([unit, n]) => `${n} ${unit}`)
    .join(' ');
}

export function milliseconds(ms: number | null | undefined): string {
  if (ms == null) return '–';
  return ms < 10 ? `${ms.toFixed(2)} ms` : ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function bytes(value: number | null | undefined): string {
  if (value == null) return '–';
  const mb = value / 2 ** 20;
  return mb >= 1000 ? `${(mb / 1024).toFixed(1)} GB` : mb >= 10 ? `${mb.toFixed(0)} MB` : `${mb.toFixed(1)} MB`;
}

const date = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
export const moment = (iso: string | null | undefined): string => (iso == null ? '–' : date.format(new Date(iso)));

/** How long ago, in one unit. */
export function ago(iso: string | null | undefined, nowMs = Date.now()): string {
  if (iso == null) return '–';
  const s = Math.max(0, (nowMs - Date.parse(iso)) / 1000);
  if (s < 60) return 'just now';
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

/** A knob's value as it is read in a table. */
export function knobValue(value: unknown): string {
  if (typeof value !== 'number') return typeof value === 'string' ? value : JSON.stringify(value);
  return Number.isInteger(value) ? String(value) : Number(value.toPrecision(3)).toString();
}

export const knobList = (knobs: Readonly<Record<string, unknown>>): string =>
  Object.entries(knobs)
    .map(([name, value]) => `${name} ${knobValue(value)}`)
    .join(' · ');

/** A text as a literal of SQL. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Seconds of an interval as Postgres writes it: 1 day 02:03:04. */
export function secondsOf(interval: string | null): number | undefined {
  const [, days = '0', h = '0', min = '0', s = '0'] =
    /^(?:(\d+) days? ?)?(?:(\d+):(\d+):(\d+))?/.exec(interval ?? '') ?? [];
  return interval === null ? undefined : Number(days) * 86_400 + Number(h) * 3600 + Number(min) * 60 + Number(s);
}

/** Begins with a capital, unless it begins with a name, such as that of a table: names are case-sensitive. */
export const sentence = (text: string): string =>
  /^[a-z]+(?:'s)?(?=[ ,]|$)/.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text;
