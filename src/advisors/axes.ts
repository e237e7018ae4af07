import {
  type Domain,
  drawWithOverrides,
  type HyperSpace,
  type Knobs,
  type KnobValue,
  narrow,
} from '../domain/hyper-space.ts';
import type { Proposal, SearchSpace, TrialHistory } from './advisor.ts';
import { nearestValue } from './draw.ts';

type RangeDomain = Extract<Domain, { kind: 'range' }>;

/** A knob that is free to vary. Its position is a number in [0, 1], or the index of a category. */
export interface Axis {
  knob: string;
  domain: Domain;
}

/** A family with the knobs that the user left free. */
export interface Branch {
  family: string;
  space: HyperSpace;
  axes: readonly Axis[];
}

/**
 * The free knobs of a study. Hooks may restrict an axis further for a given trial; they are applied when values are
 * drawn.
 */
export function branchesOf({ families, overrides }: SearchSpace): Branch[] {
  return families.map(({ name, space }) => ({
    family: name,
    space,
    axes: space
      .knobs()
      .filter(({ name: knob, untuned }) => !untuned || knob in overrides)
      .map((knob) => ({ knob: knob.name, domain: narrow(knob.name, knob.domain, overrides[knob.name]) }))
      .filter(({ domain }) => (domain.kind === 'range' ? domain.max > domain.min : domain.list.length > 1)),
  }));
}

/** Trials of the families that are searched: those of others, which a study may have given up, say nothing about its space. */
export const searchedTrials = (branches: readonly Branch[], history: readonly TrialHistory[]): TrialHistory[] =>
  history.filter((trial) => branches.some(({ family }) => family === trial.family));

/** Positions of a trial's values on the axes of its family. */
export const positionsOf = ({ axes }: Branch, knobs: Knobs): Float64Array =>
  Float64Array.from(axes, ({ knob, domain }) => positionOf(domain, knobs[knob]));

/** The values at the given positions: rounded, and within what hooks and the user allow. */
export function proposalAt(
  branch: Branch,
  overrides: SearchSpace['overrides'],
  positions: ArrayLike<number>,
): Proposal {
  const place = new Map(branch.axes.map(({ knob }, i) => [knob, i]));
  const knobs = drawWithOverrides(branch.space, overrides, (knob, domain) => {
    const i = place.get(knob.name);
    const axis = i === undefined ? undefined : branch.axes[i];
    if (i === undefined || axis === undefined) return nearestValue(domain, knob.initial);
    return nearestValue(domain, valueAt(axis.domain, positions[i] as number));
  });
  return { family: branch.family, knobs };
}

/** The position of a value: in [0, 1] on its scale, or the index of the category (−1 for one that a hook created). */
function positionOf(domain: Domain, value: KnobValue | undefined): number {
  if (domain.kind === 'categorical') return value === undefined ? -1 : domain.list.indexOf(value);
  return typeof value === 'number' ? toUnit(domain, value) : 0;
}

function valueAt(domain: Domain, position: number): KnobValue {
  if (domain.kind === 'categorical') return domain.list[position] ?? (domain.list[0] as KnobValue);
  const { low, high } = scaleOf(domain);
  const scaled = low + (high - low) * position;
  return domain.log ? Math.exp(scaled) : scaled;
}

/** The interval of positions that round to the same value; empty for a continuous domain. */
export function cellOf(domain: RangeDomain, position: number): [low: number, high: number] {
  const unit = unitOf(domain);
  if (unit === 0) return [position, position];
  const value = nearestValue(domain, valueAt(domain, position)) as number;
  return [toUnit(domain, value - unit / 2), toUnit(domain, value + unit / 2)];
}

/** The unit of rounding: a step, 1 for integers, or 0 for none. */
const unitOf = ({ dtype, step }: RangeDomain): number => step ?? (dtype === 'int' ? 1 : 0);

function toUnit(domain: RangeDomain, value: number): number {
  const { low, high } = scaleOf(domain);
  const scaled = domain.log ? Math.log(Math.max(value, domain.min / 2)) : value;
  return Math.min(1, Math.max(0, (scaled - low) / (high - low)));
}

/** The ends of the axis. Each integer has a cell, so the ends are half a unit outside; a logarithm remains finite. */
function scaleOf(domain: RangeDomain): { low: number; high: number } {
  const { min, max, log } = domain;
  const half = unitOf(domain) / 2;
  return log
    ? { low: Math.log(Math.max(min - half, min / 2)), high: Math.log(max + half) }
    : { low: min - half, high: max + half };
}
