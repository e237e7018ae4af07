import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CharacterOptions, characterRows, fitCharacters } from '../../../src/features/characters.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { textsOfIds } from './ids.ts';

const options: CharacterOptions = { maxCharacters: 64, minTexts: 1, maxRows: 1000, margin: 2, multiple: 3 };

function fitted(texts: string[], changed: Partial<CharacterOptions> = {}) {
  const state = fitCharacters(texts, { ...options, ...changed });
  const features = { encoder: 'characters', classes: ['a', 'b'], state };
  return { features, encode: (given: string[]) => createEncoder(features).encode(given) };
}

/** Ids of each text without its padding. */
const idsOf = async (texts: string[], given: string[], changed: Partial<CharacterOptions> = {}): Promise<number[][]> =>
  textsOfIds((await fitted(texts, changed).encode(given))['ids']);

/** Any strings of UTF-16 units, lone surrogates included. */
const anyText = fc.string({ unit: 'binary', maxLength: 100 });

describe('characters', () => {
  it('are code points: an emoji outside the basic plane is one', async () => {
    const [row = []] = await idsOf(['a👍b'], ['a👍b']);
    expect(row).toHaveLength(3);
    expect(new Set(row).size).toBe(3);
  });

  it('count a skin tone, a joiner and a variation selector as characters of their own', async () => {
    expect((await idsOf(['👍🏽'], ['👍🏽']))[0]).toHaveLength(2);
    expect((await idsOf(['👩‍💻'], ['👩‍💻']))[0]).toHaveLength(3);
  });

  it('are the same for a letter with its accent in one or two code points', async () => {
    const texts = ['caf\u00e9', 'cafe\u0301'];
    const [one, two] = await idsOf(texts, texts);
    expect(one).toEqual(two);
    expect(one).toHaveLength(4);
  });

  it('keep a combining mark without a composed letter', async () => {
    expect((await idsOf(['q\u0301'], ['q\u0301']))[0]).toHaveLength(2);
  });

  it('treat half of a surrogate pair as a character', async () => {
    const texts = ['a\ud83d', '\udc4db'];
    const rows = await idsOf(texts, texts);
    expect(rows.map((row) => row.length)).toEqual([2, 2]);
    expect(new Set(rows.flat()).size).toBe(4);
  });

  it('share one number if they are not in the training rows', async () => {
    expect(await idsOf(['ab'], ['axyb'])).toEqual([[expect.any(Number), 1, 1, expect.any(Number)]]);
  });

  it('leave out characters below the minimum frequency, and the rarest above the limit', () => {
    expect(characterRows(fitted(['ab', 'ac'], { minTexts: 2 }).features)).toBe(3);
    expect(characterRows(fitted(['ab', 'ac'], { maxRows: 2 }).features)).toBe(4);
  });

  it('are read up to the maximum', async () => {
    expect((await idsOf(['a'], ['a'.repeat(1_000_000)]))[0]).toHaveLength(64);
  });

  it('encode any text within the table, ended by padding, in widths that fit the stride', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { minLength: 1, maxLength: 5 }), anyText, async (texts, other) => {
        const { features, encode } = fitted(texts);
        const { ids } = await encode([...texts, other]);
        const width = ids?.shape[1] ?? 0;
        expect(width % 3).toBe(0);
        for (const row of textsOfIds(ids)) expect(row.length).toBeLessThanOrEqual(width - 2);
        expect(width).toBeGreaterThan(0);
        for (const id of ids?.data ?? []) expect(Number(id)).toBeLessThan(characterRows(features));
      }),
    );
  });

  it('encode a text alone as in a batch', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { minLength: 1, maxLength: 5 }), async (texts) => {
        const { encode } = fitted(texts);
        const together = textsOfIds((await encode(texts))['ids']);
        for (const [i, text] of texts.entries()) {
          expect(textsOfIds((await encode([text]))['ids'])).toEqual([together[i]]);
        }
      }),
    );
  });
});
