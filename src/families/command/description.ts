import { type KnobRow, knobRows, spaceOf } from '../../domain/knob-rows.ts';
import type { InputKind } from '../../domain/task.ts';
import { FamilyFailed, InvalidParameter } from '../../errors/errors.ts';
import { familyName, MAX_TITLE_CHARS } from '../family-name.ts';
import { type FeatureChoice, featureChoice } from './command-features.ts';
import { PROTOCOL, wrong } from './wrong-message.ts';

const outputs = ['label', 'number'] as const;

/** What a command says of its family, checked. Plain data: training processes get it with their trial. */
export interface CommandDescription {
  name: string;
  title: string;
  input: InputKind;
  outputs: readonly (typeof outputs)[number][];
  features: FeatureChoice;
  knobs: Record<string, KnobRow>;
  minTrials?: number;
}

const fields = ['rafiki', 'name', 'title', 'input', 'outputs', 'features', 'knobs', 'min_trials'];
const MAX_TRIALS = 10_000;

/** Throws {@link FamilyFailed} for an answer to `describe` that is none. */
export function descriptionOf(message: Readonly<Record<string, unknown>>): CommandDescription {
  const { rafiki, name, title, input, features, knobs, min_trials: minTrials } = message;
  if (rafiki !== PROTOCOL) throw wrong('rafiki', rafiki, `${PROTOCOL}, the version of the protocol`);
  const unknown = Object.keys(message).find((field) => !fields.includes(field)); // a misspelt one would have no effect
  if (unknown !== undefined) throw wrong(unknown, message[unknown], `a field of a description: ${fields.join(', ')}`);
  if (typeof name !== 'string' || !familyName.test(name))
    throw wrong('name', name, 'a name of small letters, digits and _, of 63 characters at most');
  if (typeof title !== 'string' || title === '' || title.length > MAX_TITLE_CHARS)
    throw wrong('title', title, `a text of ${MAX_TITLE_CHARS} characters at most`);
  const kind = (['text', 'image', 'columns'] as const).find((each) => each === input);
  if (kind === undefined) throw wrong('input', input, '"text", "image" or "columns"');
  const given: unknown = message['outputs'];
  const learnt = outputs.filter((each) => Array.isArray(given) && given.includes(each));
  if (!Array.isArray(given) || learnt.length === 0 || learnt.length !== given.length)
    throw wrong('outputs', given, 'a list of "label" and "number", or one of them');
  const isCount = typeof minTrials === 'number' && Number.isInteger(minTrials) && 0 <= minTrials;
  if (minTrials !== undefined && !(isCount && minTrials <= MAX_TRIALS))
    throw wrong('min_trials', minTrials, `a whole number of at most ${MAX_TRIALS}`);
  return {
    ...{ name, title, input: kind, outputs: learnt, features: featureChoice(features, kind) },
    ...{ knobs: checkedKnobs(knobs ?? {}), ...(isCount ? { minTrials } : {}) },
  };
}

function checkedKnobs(knobs: unknown): Record<string, KnobRow> {
  try {
    return knobRows(spaceOf(knobs));
  } catch (cause) {
    if (!(cause instanceof InvalidParameter)) throw cause;
    const { message, detail, hint } = cause;
    throw new FamilyFailed(message, { ...(detail && { detail }), ...(hint && { hint }), cause });
  }
}
