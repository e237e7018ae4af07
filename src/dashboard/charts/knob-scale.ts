import type { KnobValuesAnswer } from '../../http/charts/knob-values.ts';
import { knobValue } from '../format.ts';
import { axisTexts, extent } from './scales.ts';

/** A knob's values as shares of an axis, 0 to 1. */
export interface KnobAxis {
  knob: string;
  isLog: boolean;
  /** Of each trial; null where it has no value. */
  shares: (number | null)[];
  /** What is written at the axis. */
  marks: { share: number; text: string }[];
}

type KnobColumn = KnobValuesAnswer['knobs'][number];

const isNumber = (value: unknown): value is number => typeof value === 'number';

/** Undefined if the knob is the same in all trials. */
export function knobAxis({ knob, domain, values }: KnobColumn): KnobAxis | undefined {
  const given = values.filter((value) => value !== null);
  const different = [...new Set(given.map((value) => JSON.stringify(value)))];
  if (different.length < 2) return undefined;
  return Array.isArray(domain['list']) || !given.every(isNumber)
    ? listAxis(knob, domain['list'], values, different)
    : rangeAxis(knob, domain['log'] === true, values as (number | null)[]);
}

function rangeAxis(knob: string, isLog: boolean, values: readonly (number | null)[]): KnobAxis {
  const of = isLog ? Math.log : (value: number): number => value;
  const [low, high] = extent(values);
  const [from, to] = [of(low), of(high)];
  const middle = isLog ? Math.exp((from + to) / 2) : (low + high) / 2;
  const isWhole = values.every((value) => value === null || Number.isInteger(value));
  const marked = [low, isWhole ? Math.round(middle) : middle, high];
  const places = marked.filter((value, i) => i === 0 || value !== marked[i - 1]);
  const short = places.map(knobValue);
  const texts = new Set(short).size === places.length ? short : axisTexts(places);
  return {
    knob,
    isLog,
    shares: values.map((value) => (value === null ? null : (of(value) - from) / (to - from))),
    marks: places.map((value, i) => ({ share: (of(value) - from) / (to - from), text: texts[i] ?? '' })),
  };
}

/** In the order of the domain's list; values that it lacks come after. */
function listAxis(knob: string, list: unknown, values: readonly unknown[], different: readonly string[]): KnobAxis {
  const listed = (Array.isArray(list) ? list : []).map((value) => JSON.stringify(value));
  const texts = [
    ...listed.filter((text) => different.includes(text)),
    ...different.filter((text) => !listed.includes(text)),
  ];
  const shareOf = new Map(texts.map((text, i) => [text, (i + 0.5) / texts.length]));
  return {
    knob,
    isLog: false,
    shares: values.map((value) => (value === null ? null : (shareOf.get(JSON.stringify(value)) ?? null))),
    marks: texts.map((text) => ({ share: shareOf.get(text) ?? 0, text: knobValue(JSON.parse(text)) })),
  };
}
