import { InvalidParameter } from '../errors/errors.ts';

/** Values of a trial's knobs. */
export type KnobValue = number | string | boolean;
export type Knobs = Record<string, KnobValue>;

/** The paper's three groups (section 2). */
type KnobGroup = 'preprocessing' | 'architecture' | 'training';

interface KnobOptions {
  group: KnobGroup;
  /** The value that works without tuning. */
  initial: KnobValue;
  /** Whether advisors leave it at its initial value, unless the owner of a study gives it a range. */
  untuned?: boolean;
  /** Set if its values are those of the study, which advisors try once each, with initial values of the other knobs. */
  valuesFrom?: 'encoders';
  /** Knobs that must be drawn first. */
  depends?: readonly string[];
  /** Sees the knobs drawn so far and may narrow the domain before the draw. */
  preHook?: (drawn: Knobs, domain: Domain) => Domain;
  /** Sees the knobs drawn so far and the value, and may change it. */
  postHook?: (drawn: Knobs, value: KnobValue) => KnobValue;
}

export type Domain =
  | { kind: 'range'; dtype: 'int' | 'float'; min: number; max: number; log: boolean; step?: number }
  | { kind: 'categorical'; list: readonly KnobValue[] };

export interface Knob extends KnobOptions {
  name: string;
  domain: Domain;
}

export interface RangeOptions extends KnobOptions {
  log?: boolean;
  step?: number;
}

/**
 * The hyperparameter space of a family (paper, section 2): knobs with domains, drawn in dependency order. They may be
 * added in any order; at the first use the space is built, and a cycle or an unknown name is refused.
 */
export class HyperSpace {
  readonly #knobs = new Map<string, Knob>();
  #ordered: readonly Knob[] | null = null;

  addRangeKnob(name: string, dtype: 'int' | 'float', min: number, max: number, options: RangeOptions): this {
    const { log = false, step, ...rest } = options;
    if (!(min <= max))
      throw new InvalidParameter(`knob "${name}" has an empty range`, { detail: `min ${min}, max ${max}` });
    if (log && min <= 0)
      throw new InvalidParameter(`knob "${name}" has a log scale and a minimum that is not positive`);
    if (step !== undefined && !(step > 0))
      throw new InvalidParameter(`knob "${name}" has a step that is not positive`, { detail: `step ${step}` });
    return this.#add({ name, domain: { kind: 'range', dtype, min, max, log, ...(step ? { step } : {}) }, ...rest });
  }

  addCategoricalKnob(name: string, list: readonly KnobValue[], options: KnobOptions): this {
    if (list.length === 0) throw new InvalidParameter(`knob "${name}" has no values`);
    return this.#add({ name, domain: { kind: 'categorical', list }, ...options });
  }

  /** In drawing order: each knob after its dependencies, otherwise in the order of addition. */
  knobs(): readonly Knob[] {
    this.#ordered ??= inDrawingOrder(this.#knobs);
    return this.#ordered;
  }

  /** The values that work without tuning. */
  initial(): Knobs {
    return this.draw((knob) => knob.initial);
  }

  /**
   * Draws every knob in order; `pick` chooses from the domain that the pre-hook returns. Hooks do not apply to fixed
   * values.
   */
  draw(pick: (knob: Knob, domain: Domain) => KnobValue, fixed: Readonly<Knobs> = {}): Knobs {
    const drawn: Knobs = {};
    for (const knob of this.knobs()) {
      const given = fixed[knob.name];
      if (given !== undefined) {
        drawn[knob.name] = given;
        continue;
      }
      const domain = knob.preHook?.(drawn, knob.domain) ?? knob.domain;
      const value = pick(knob, domain);
      drawn[knob.name] = knob.postHook?.(drawn, value) ?? value;
    }
    return drawn;
  }

  #add(knob: Knob): this {
    if (this.#knobs.has(knob.name)) throw new InvalidParameter(`knob "${knob.name}" exists already`);
    this.#knobs.set(knob.name, knob);
    this.#ordered = null;
    return this;
  }
}

function inDrawingOrder(knobs: ReadonlyMap<string, Knob>): readonly Knob[] {
  const ordered = new Set<Knob>();
  /** `path`: the chain of dependencies from the requested knob to this one. */
  const place = (knob: Knob, path: readonly string[]): void => {
    if (ordered.has(knob)) return;
    const way = [...path, knob.name];
    if (path.includes(knob.name)) {
      const circle = way.slice(way.indexOf(knob.name)).join(' → ');
      throw new InvalidParameter('knobs depend on each other in a circle', {
        detail: circle,
        hint: 'One of them must be drawn first: it cannot depend on the others.',
      });
    }
    for (const name of knob.depends ?? []) {
      const first = knobs.get(name);
      if (first === undefined) {
        throw new InvalidParameter(`knob "${knob.name}" depends on "${name}", which does not exist`, {
          hint: `Knobs of this space: ${[...knobs.keys()].join(', ')}.`,
        });
      }
      place(first, way);
    }
    ordered.add(knob);
  };
  for (const knob of knobs.values()) place(knob, []);
  return [...ordered];
}

/** A user's override of one knob: a fixed value, or a narrower domain. */
export type KnobOverride = KnobValue | { min?: number; max?: number } | { list: KnobValue[] };

/** Draws from the space with the user's overrides applied; `pick` sees the narrowed domain. */
export function drawWithOverrides(
  space: HyperSpace,
  overrides: Record<string, KnobOverride>,
  pick: (knob: Knob, domain: Domain) => KnobValue,
): Knobs {
  const fixed: Knobs = {};
  for (const [name, override] of Object.entries(overrides)) if (typeof override !== 'object') fixed[name] = override;
  for (const { name, untuned, initial } of space.knobs()) if (untuned && !(name in overrides)) fixed[name] = initial;
  return space.draw((knob, domain) => pick(knob, narrow(knob.name, domain, overrides[knob.name])), fixed);
}

/** The part of a domain that the user's override allows. */
export function narrow(name: string, domain: Domain, override: KnobOverride | undefined): Domain {
  if (override === undefined) return domain;
  if (typeof override !== 'object') return { kind: 'categorical', list: [override] };
  if ('list' in override) return { kind: 'categorical', list: valuesOf(name, override.list) };
  if (domain.kind === 'range') return { ...domain, min: override.min ?? domain.min, max: override.max ?? domain.max };
  throw new InvalidParameter(`knob "${name}" takes a list of values, not a range`, {
    hint: `Use {"${name}": {"list": [...]}}.`,
  });
}

/**
 * Number of distinct values of a list: the work of a proposal is proportional to it.
 */
export const MAX_VALUES = 100;

/** A proposal narrows the same lists some thousand times. */
const knownValues = new WeakMap<readonly KnobValue[], readonly KnobValue[]>();

function valuesOf(name: string, list: readonly KnobValue[]): readonly KnobValue[] {
  const known = knownValues.get(list);
  if (known !== undefined) return known;
  const values = [...new Set(list)];
  if (values.length > MAX_VALUES) {
    throw new InvalidParameter(`knob "${name}" has too long a list`, {
      detail: `It has ${values.length} different values; the limit is ${MAX_VALUES}.`,
      hint: 'Give fewer values, or {"min": …, "max": …}.',
    });
  }
  knownValues.set(list, values);
  return values;
}
