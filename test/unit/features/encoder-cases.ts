import sharp from 'sharp';
import type { RawInput } from '../../../src/domain/task.ts';
import { fitCharacters } from '../../../src/features/characters.ts';
import { fitPlain } from '../../../src/features/columns/plain.ts';
import { fitDense } from '../../../src/features/dense.ts';
import { fitNgrams } from '../../../src/features/ngrams.ts';
import { fitPixels } from '../../../src/features/pixels.ts';
import type { EncoderName } from '../../../src/features/registry.ts';
import { fitSubwords } from '../../../src/features/subwords.ts';
import { fitWeightedNgrams } from '../../../src/features/weighted/weighted-ngrams.ts';
import { wordPieces } from '../encoders/word-pieces.ts';
import { tableRows } from './table-rows.ts';

export interface EncoderCase {
  inputs: readonly RawInput[];
  /** Fitted on them. */
  state: Record<string, unknown>;
}

const mixedColumns = [
  { name: 'age', kind: 'number' },
  { name: 'job', kind: 'text' },
  { name: 'member', kind: 'boolean' },
  { name: 'since', kind: 'time' },
];

const texts = ['A great film', '', 'awful 🙂 \ud800', 'x'.repeat(500), 'the plot, the cast; the end'];

/** Of several sizes, and not square. */
const pictures = (): Promise<Uint8Array[]> =>
  Promise.all(
    [8, 20, 33].map((width) =>
      sharp({ create: { width, height: 16, channels: 3, background: { r: width, g: 90, b: 200 } } })
        .png()
        .toBuffer(),
    ),
  );

const people = Array.from({ length: 24 }, (_, i) =>
  JSON.stringify({
    age: i % 5 === 0 ? null : i * 1.5,
    job: ['clerk', 'cook', null, `job ${i}`][i % 4],
    member: i % 3 === 0,
    since: `2026-0${1 + (i % 9)}-11T1${i % 10}:30:00+02:00`,
  }),
);

/** One case for each encoder of the registry. */
export const encoderCases: Readonly<Record<EncoderName, () => Promise<EncoderCase>>> = {
  dense: async () => ({ inputs: people, state: fitDense(tableRows(mixedColumns, people)) }),
  plain: async () => ({ inputs: people, state: fitPlain(tableRows(mixedColumns, people)) }),
  weighted_ngrams: async () => ({
    inputs: texts,
    state: fitWeightedNgrams(texts, {
      ...{ words: 2, characters: 4, characterNorm: 1, maxTokens: 32 },
      ...{ minTexts: 1, maxColumns: 1000, maxEntries: 100 },
    }),
  }),
  ngrams: async () => ({
    inputs: texts,
    state: fitNgrams(texts, { ngrams: 2, maxTokens: 32, minTexts: 1, maxRows: 100, unknown: 1, margin: 0 }),
  }),
  subwords: async () => ({
    inputs: texts,
    state: fitSubwords(texts, { maxTokens: 32, minTexts: 1, maxRows: 100, margin: 1 }),
  }),
  characters: async () => ({
    inputs: texts,
    state: fitCharacters(texts, { maxCharacters: 64, minTexts: 1, maxRows: 100, margin: 0, multiple: 4 }),
  }),
  pieces: async () => ({
    inputs: texts,
    state: {
      maxTokens: 64,
      reserved: 1,
      pieces: [
        ['<unk>', 0],
        ['▁', -3],
        ['▁the', -2],
        ['a', -4],
        ['film', -6],
        ['t', -4],
        ['e', -4],
        ['x', -5],
        ['▁plot', -7],
      ],
    },
  }),
  tokens: async () => ({
    inputs: texts,
    state: {
      ...{
        tokenizer: JSON.stringify(wordPieces),
        maxTokens: 16,
        prefix: 'a ',
        inputs: ['input_ids', 'attention_mask'],
      },
    },
  }),
  pixels: async () => {
    const inputs = await pictures();
    return { inputs, state: await fitPixels(inputs, 16) };
  },
  preprocessed: async () => ({
    inputs: await pictures(),
    state: {
      preprocessing: {
        ...{ resize: { kind: 'shortest', edge: 20 }, crop: { width: 16, height: 18 }, resampling: 'cubic' },
        ...{ scale: [0.1, 0.2, 0.3], offset: [1, 2, 3], isBlueFirst: true, input: 'pixel_values' },
      },
    },
  }),
  scenes: async () => ({ inputs: await pictures(), state: { side: 32 } }),
  stretched: async () => ({ inputs: await pictures(), state: { side: 32 } }),
};
