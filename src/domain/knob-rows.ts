import { InvalidParameter } from '../errors/errors.ts';
import { HyperSpace, type Knob, type KnobValue, MAX_VALUES } from './hyper-space.ts';

/** A knob as plain data: its group, domain and initial value, as in `rafiki.family.knobs`. */
export type KnobRow = Record<string, unknown>;

const knobRow = ({ group, domain, initial, untuned, valuesFrom }: Knob): KnobRow => ({
  // of encoders each study has its own, which are looked up
  ...(valuesFrom === 'encoders' ? { group, kind: 'encoder', initial } : { group, ...domain, initial }),
  ...(untuned ? { untuned } : {}),
});

export const knobRows = (space: HyperSpace): Record<string, KnobRow> =>
  Object.fromEntries(space.knobs().map((knob) => [knob.name, knobRow(knob)]));

/** A study looks at each of them for each proposal. */
const MAX_KNOBS = 100;
const knobName = /^[a-z][a-z0-9_]{0,62}$/;
const groups = ['preprocessing', 'architecture', 'training'] as const;

/** The space of knobs that are given as plain data. Throws {@link InvalidParameter} for what is none. */
export function spaceOf(rows: unknown): HyperSpace {
  if (!isObject(rows)) throw new InvalidParameter('knobs are not an object', { hint: formOfKnobs });
  const entries = Object.entries(rows);
  if (entries.length > MAX_KNOBS) {
    throw new InvalidParameter('there are too many knobs', {
      detail: `There are ${entries.length}; the maximum is ${MAX_KNOBS}.`,
    });
  }
  const space = new HyperSpace();
  for (const [name, row] of entries) addKnob(space, name, row);
  return space;
}

function addKnob(space: HyperSpace, name: string, row: unknown): void {
  const given: KnobRow = isObject(row) ? row : {};
  const { kind, dtype, min, max, log, step, list, initial, untuned } = given;
  const group = groups.find((each) => each === given['group']);
  if (!knobName.test(name) || group === undefined || !isKnobValue(initial)) throw noKnob(name, row);
  const options = { group, initial, ...(untuned === true ? { untuned } : {}) };
  if (kind === 'categorical' && Array.isArray(list) && list.length <= MAX_VALUES && list.every(isKnobValue)) {
    if (!list.includes(initial)) throw noKnob(name, row);
    space.addCategoricalKnob(name, list, options);
    return;
  }
  const isRange = kind === 'range' && (dtype === 'int' || dtype === 'float') && isNumber(min) && isNumber(max);
  if (!isRange || !isNumber(initial) || !(min <= initial && initial <= max)) throw noKnob(name, row);
  if (dtype === 'int' && ![min, max, initial].every(Number.isInteger)) throw noKnob(name, row);
  space.addRangeKnob(name, dtype, min, max, {
    ...{ ...options, log: log === true },
    ...(isNumber(step) ? { step } : {}),
  });
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

const isKnobValue = (value: unknown): value is KnobValue =>
  isNumber(value) || typeof value === 'boolean' || (typeof value === 'string' && value.length <= 200);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const formOfKnobs =
  'A knob is {"kind": "range", "dtype": "float", "min": 0.001, "max": 1, "log": true, "initial": 0.1, "group": "training"} or ' +
  '{"kind": "categorical", "list": [16, 32], "initial": 16, "group": "architecture"}.';

const noKnob = (name: string, row: unknown): InvalidParameter =>
  new InvalidParameter(`knob "${name.slice(0, 100)}" is described wrongly`, {
    detail: `It is ${(JSON.stringify(row) ?? 'missing').slice(0, 400)}.`,
    hint: `${formOfKnobs} Its initial value is in its domain.`,
  });
