import type { Knobs } from '../../domain/hyper-space.ts';
import type { InputKind } from '../../domain/task.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { characterRows, fitCharacters } from '../../features/characters.ts';
import { fitPlain, plainOrigins } from '../../features/columns/plain.ts';
import { denseColumns, fitDense } from '../../features/dense.ts';
import { textsOf } from '../../features/encoder.ts';
import { fitNgrams, tableRows } from '../../features/ngrams.ts';
import { fitPixels } from '../../features/pixels.ts';
import { fitWeightedNgrams, WeightedNgrams } from '../../features/weighted/weighted-ngrams.ts';
import type { FitData } from '../../models/family.ts';
import { wrong } from './wrong-message.ts';

/** The features that a command's models read: a kind below, and its options. */
export interface FeatureChoice {
  name: FeatureName;
  options: Readonly<Record<string, number>>;
}

type Options = Readonly<Record<string, number>>;

interface CommandFeatures {
  input: InputKind;
  /** Its options, with their defaults. A knob of the name of an option sets it. */
  options: Options;
  /** Fitted state of the encoder `encoder`; the server needs no code of the family. */
  encoder: string;
  fit(data: FitData, options: Options): Record<string, unknown> | Promise<Record<string, unknown>>;
  /** What a network needs to know of them: rows of a table of ids, or the width of a row. */
  size(features: FittedFeatures): number;
}

const sequence = { max_tokens: 256, min_texts: 2, max_rows: 50_000 };

/** Their tensors: words and characters `ids` [N, T]; weighted_ngrams `ids` and `weights` [N, T]; pixels `image` [N, 3, side, side]; dense `x` [N, size]; plain `features` [N, size]. */
const kinds = {
  words: {
    input: 'text',
    options: { ngrams: 1, ...sequence },
    encoder: 'ngrams',
    fit: ({ inputs }, { ngrams = 1, max_tokens = 1, min_texts = 1, max_rows = 1 }) =>
      fitNgrams(textsOf(inputs), {
        ...{ ngrams, maxTokens: max_tokens, minTexts: min_texts, maxRows: max_rows, unknown: 1, margin: 0 },
      }),
    size: tableRows,
  },
  characters: {
    input: 'text',
    options: { max_characters: 256, min_texts: 2, max_rows: 5_000 },
    encoder: 'characters',
    fit: ({ inputs }, { max_characters = 1, min_texts = 1, max_rows = 1 }) =>
      fitCharacters(textsOf(inputs), {
        ...{ maxCharacters: max_characters, minTexts: min_texts, maxRows: max_rows, margin: 0, multiple: 1 },
      }),
    size: characterRows,
  },
  weighted_ngrams: {
    input: 'text',
    options: { ngrams: 2, char_ngrams: 5, max_entries: 1_000, ...sequence },
    encoder: 'weighted_ngrams',
    fit: ({ inputs }, { ngrams = 1, char_ngrams = 1, max_entries = 1, max_tokens = 1, min_texts = 1, max_rows = 1 }) =>
      fitWeightedNgrams(textsOf(inputs), {
        ...{ words: ngrams, characters: char_ngrams, characterNorm: 1, maxTokens: max_tokens, minTexts: min_texts },
        ...{ maxColumns: Math.ceil(max_rows / 2), maxEntries: max_entries },
      }),
    size: ({ state }) => new WeightedNgrams(state).columns,
  },
  pixels: {
    input: 'image',
    options: { side: 32 },
    encoder: 'pixels',
    fit: ({ inputs }, { side = 32 }) => fitPixels(inputs, side),
    size: ({ state }) => Number(state['side']),
  },
  dense: {
    input: 'columns',
    options: {},
    encoder: 'dense',
    fit: ({ inputs, ...truth }) => fitDense(inputs, truth),
    size: (features) => denseColumns(features).width,
  },
  plain: {
    input: 'columns',
    options: {},
    encoder: 'plain',
    fit: ({ inputs, ...truth }) => fitPlain(inputs, truth),
    size: (features) => plainOrigins(features).length,
  },
} as const satisfies Record<string, CommandFeatures>;

type FeatureName = keyof typeof kinds;
const isName = (name: unknown): name is FeatureName => typeof name === 'string' && Object.hasOwn(kinds, name);

/** Largest value of an option. */
const MAX_OPTION = 1_000_000;
const isOption = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_OPTION;

/** Reads `features` of a description: {"name": "words", "max_tokens": 64}. */
export function featureChoice(value: unknown, input: InputKind): FeatureChoice {
  const known = Object.entries(kinds).filter(([, kind]) => kind.input === input);
  const expected = `an object with a name: ${known.map(([name]) => `"${name}"`).join(', ')}`;
  if (typeof value !== 'object' || value === null) throw wrong('features', value, expected);
  const { name, ...options }: { name?: unknown } = value;
  if (!isName(name) || kinds[name].input !== input) throw wrong('features', value, expected);
  for (const [option, given] of Object.entries(options)) {
    const allowed = Object.keys(kinds[name].options);
    if (!allowed.includes(option)) throw wrong('features', value, `one with the options ${allowed.join(', ')}`);
    if (!isOption(given)) throw wrong(option, given, `a whole number from 1 to ${MAX_OPTION}`);
  }
  return { name, options: options as Options };
}

/** Fits the features of a trial to its training rows. */
export async function fitChosen(
  { name, options }: FeatureChoice,
  data: FitData,
  knobs: Knobs,
): Promise<Pick<FittedFeatures, 'encoder' | 'state'>> {
  const kind: CommandFeatures = kinds[name];
  const byKnob = Object.keys(kind.options).flatMap((option) => {
    const value = knobs[option];
    return isOption(value) ? [[option, value]] : [];
  });
  const chosen = { ...kind.options, ...options, ...Object.fromEntries(byKnob) };
  return { encoder: kind.encoder, state: await kind.fit(data, chosen) };
}

export const featureSize = ({ name }: FeatureChoice, features: FittedFeatures): number => kinds[name].size(features);
