import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEncoder } from '../../../src/features/registry.ts';
import { fitSubwords, type SubwordOptions, subwordRows, subwordSlots } from '../../../src/features/subwords.ts';
import { textsOfIds } from './ids.ts';

const options: SubwordOptions = { maxTokens: 32, minTexts: 1, maxRows: 1000, margin: 2 };

function fitted(texts: string[], changed: Partial<SubwordOptions> = {}) {
  const state = fitSubwords(texts, { ...options, ...changed });
  const features = { encoder: 'subwords', classes: ['a', 'b'], state };
  return { features, encode: (given: string[]) => createEncoder(features).encode(given) };
}

/** The ids of each word of one text. */
async function wordsOf(texts: string[], given: string): Promise<number[][]> {
  const [row = []] = textsOfIds((await fitted(texts).encode([given]))['ids']);
  return Array.from({ length: row.length / subwordSlots }, (_, i) =>
    row.slice(i * subwordSlots, (i + 1) * subwordSlots),
  );
}

const shared = (a: number[] = [], b: number[] = []): number[] => a.filter((id) => id > 1 && b.includes(id));

/** Any strings of UTF-16 units, lone surrogates included. */
const anyText = fc.string({ unit: 'binary', maxLength: 100 });

describe('subwords', () => {
  it('know a word that training never saw by its beginning and its ending', async () => {
    const [seen, unseen] = await wordsOf(['x walking', 'y', 'x walked'], 'y walking').then(async ([, seen]) => [
      seen,
      (await wordsOf(['x walking'], 'y walker'))[1],
    ]);
    expect(seen?.[0]).toBeGreaterThan(1);
    expect(unseen?.[0]).toBe(1);
    expect(unseen?.filter((id) => id > 1).length).toBeGreaterThanOrEqual(3); // w-a, w-a-l, w-a-l-k
  });

  it('distinguish a prefix from an equal suffix', async () => {
    const [first, second] = await wordsOf(['abxx yyab'], 'abzz zzab');
    expect(shared(first, second).filter((id) => id !== first?.[1])).toEqual([]);
  });

  it('distinguish names, abbreviations, numbers and plain words, and otherwise ignore case', async () => {
    const words = await wordsOf(['x Paris USA 1999 plain PARIS'], 'x Paris USA 1999 plain PARIS');
    const styles = words.slice(1, 5).map((word) => word[1]);
    expect(new Set(styles).size).toBe(4);
    expect(words[1]?.[0]).toBe(words[5]?.[0]);
    expect(words[1]?.[1]).not.toBe(words[5]?.[1]);
  });

  it('count letters outside the basic plane as one', async () => {
    const word = '𝒳𝒴𝒵';
    const [only = []] = await wordsOf([word], word);
    expect(only.filter((id) => id > 0)).toHaveLength(4); // itself, its style, two letters at either end
  });

  it('read a text whose lower case is longer', async () => {
    expect(await wordsOf(['İstanbul Ankara'], 'İstanbul Ankara')).toHaveLength(2);
  });

  it('stay inside the table, alone as in a batch, for any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { minLength: 1, maxLength: 5 }), anyText, async (texts, other) => {
        const { features, encode } = fitted(texts);
        const { ids } = await encode([...texts, other]);
        expect(ids?.data.length).toBeGreaterThan(0);
        for (const id of ids?.data ?? []) expect(Number(id)).toBeLessThan(subwordRows(features));
        const alone = textsOfIds((await encode([other]))['ids']);
        expect(alone).toEqual([textsOfIds(ids).at(-1)]);
      }),
    );
  });
});
