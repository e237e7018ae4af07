import sharp from 'sharp';
import type { RawInput } from '../../../src/domain/task.ts';
import { fitCharacters } from '../../../src/features/characters.ts';
import { fitNgrams } from '../../../src/features/ngrams.ts';
import { fitPixels } from '../../../src/features/pixels.ts';
import type { EncoderName } from '../../../src/features/registry.ts';
import { fitSubwords } from '../../../src/features/subwords.ts';

export interface EncoderCase {
  inputs: readonly RawInput[];
  /** Fitted on them. */
  state: Record<string, unknown>;
}

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

/** One case for each encoder of the registry. */
export const encoderCases: Readonly<Record<EncoderName, () => Promise<EncoderCase>>> = {
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
  pixels: async () => {
    const inputs = await pictures();
    return { inputs, state: await fitPixels(inputs, 16) };
  },
  scenes: async () => ({ inputs: await pictures(), state: { side: 32 } }),
  stretched: async () => ({ inputs: await pictures(), state: { side: 32 } }),
};
