import type { Domain, KnobValue } from '../domain/hyper-space.ts';
import type { Rng } from '../runtime/rng.ts';

/** Draws a value from the domain: uniform, or uniform in the logarithm. */
export function drawValue(domain: Domain, rng: Rng): KnobValue {
  if (domain.kind === 'categorical') return domain.list[rng.below(domain.list.length)] as KnobValue;
  const { dtype, min, max, log } = domain;
  if (dtype === 'int' && !log) return onGrid(min + rng.below(max - min + 1), domain);
  const value = log ? min * (max / min) ** rng.uniform() : min + (max - min) * rng.uniform();
  return onGrid(value, domain);
}

/** The value of the domain that is nearest to the initial value. */
export function nearestValue(domain: Domain, initial: KnobValue): KnobValue {
  if (domain.kind === 'categorical') return domain.list.includes(initial) ? initial : (domain.list[0] as KnobValue);
  return onGrid(typeof initial === 'number' ? initial : domain.min, domain);
}

/** Rounds to the domain's step (or to an integer) and clamps to its bounds. */
function onGrid(value: number, { dtype, min, max, step }: Extract<Domain, { kind: 'range' }>): number {
  const unit = step ?? (dtype === 'int' ? 1 : undefined);
  const rounded = unit === undefined ? value : min + Math.round((value - min) / unit) * unit;
  const last = unit === undefined ? max : min + Math.floor((max - min) / unit) * unit;
  return Math.min(last, Math.max(min, rounded));
}
