import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEncoder } from '../../../src/features/registry.ts';
import { TextGrams } from '../../../src/features/weighted/text-grams.ts';
import {
  fitWeightedNgrams,
  type WeightedNgramOptions,
  WeightedNgrams,
} from '../../../src/features/weighted/weighted-ngrams.ts';
import { askPython, hasPython } from '../../support/python-peer.ts';

const options: WeightedNgramOptions = {
  ...{ words: 1, characters: 0, maxTokens: 32, minTexts: 1, maxColumns: 1000, maxEntries: 1000, characterNorm: 1 },
};

const readerOf = (texts: readonly string[], changed: Partial<WeightedNgramOptions> = {}): WeightedNgrams =>
  new WeightedNgrams(fitWeightedNgrams(texts, { ...options, ...changed }));

/** The weights of a text, largest first. */
function weightsOf(reader: WeightedNgrams, text: string): number[] {
  return [...reader.rows([text]).weights].sort((a, b) => b - a);
}

/** Any strings of UTF-16 units, lone surrogates included. */
const anyText = fc.string({ unit: 'binary', maxLength: 200 });

const hasSklearn = hasPython('sklearn');

const peer = `
import json, sys
from sklearn.feature_extraction.text import TfidfVectorizer
d = json.load(sys.stdin)
options = dict(sublinear_tf=True, min_df=d["min"])
words = TfidfVectorizer(token_pattern=r"\\S+", ngram_range=(1, 1), **options).fit(d["texts"])
chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), **options).fit(d["texts"])
out = [[sorted(v.transform([t]).data.tolist(), reverse=True) for v in (words, chars)] for t in d["texts"]]
print(json.dumps(out))
`;

describe('weighted n-grams', () => {
  it.skipIf(!hasSklearn)('are those of scikit-learn', () => {
    const texts = ['the cat sat on the mat', 'the dog sat', 'a cat and a dog', 'dogs and cats and mats', 'the end'];
    for (const min of [1, 2]) {
      const theirs = askPython(peer, { texts, min }) as [number[], number[]][];
      const words = readerOf(texts, { minTexts: min });
      const both = readerOf(texts, { minTexts: min, characters: 4 });
      texts.forEach((text, i) => {
        const [ofWords = [], ofCharacters = []] = theirs[i] ?? [];
        const own = weightsOf(words, text);
        expect(own).toHaveLength(ofWords.length);
        for (const [n, weight] of own.entries()) expect(weight).toBeCloseTo(ofWords[n] ?? 0, 6);
        const all = weightsOf(both, text);
        expect(all).toHaveLength(ofWords.length + ofCharacters.length);
        const expected = [...ofWords, ...ofCharacters].sort((a, b) => b - a);
        for (const [n, weight] of all.entries()) expect(weight).toBeCloseTo(expected[n] ?? 0, 6);
      });
    }
  });

  it('of words and of characters have a norm each', () => {
    const reader = readerOf(['one two three', 'two three four'], { characters: 3, characterNorm: 0.5, words: 2 });
    const { weights } = reader.rows(['one two three four']);
    expect(weights.reduce((sum, weight) => sum + weight * weight, 0)).toBeCloseTo(1.25, 5);
  });

  it('are those that weigh most, if they are too many', () => {
    const texts = ['a a a a b c d', 'b c', 'c d', 'e'];
    const all = weightsOf(readerOf(texts), texts[0] ?? '');
    expect(weightsOf(readerOf(texts, { maxEntries: 2 }), texts[0] ?? '')).toEqual(all.slice(0, 2));
  });

  it('of a text without known words are none, and one padding in a batch', () => {
    const state = fitWeightedNgrams(['one two'], options);
    const encoder = createEncoder({ encoder: 'weighted_ngrams', classes: ['a'], state });
    expect(encoder.encode(['', 'seven'])).toEqual({
      ids: { dtype: 'int32', shape: [2, 1], data: new Int32Array(2) },
      weights: { dtype: 'float32', shape: [2, 1], data: new Float32Array(2) },
    });
  });

  it('of any text do not depend on the texts before', () => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1, maxLength: 6 }), (texts) => {
        const reader = readerOf(texts, { words: 3, characters: 5, minTexts: 1 });
        const together = reader.rows(texts);
        texts.forEach((text, row) => {
          const alone = reader.rows([text]);
          const part = [together.offsets[row] as number, together.offsets[row + 1] as number] as const;
          expect([...together.ids.subarray(...part)]).toEqual([...alone.ids]);
          expect([...together.weights.subarray(...part)]).toEqual([...alone.weights]);
          expect(alone.ids.every((id) => id > 0 && id < reader.columns)).toBe(true);
          expect(alone.weights.every((weight) => weight > 0 && Number.isFinite(weight))).toBe(true);
        });
      }),
      { numRuns: 100 },
    );
  });
});

describe('n-grams of a text', () => {
  const read = (text: string, changed: Partial<ConstructorParameters<typeof TextGrams>[0]> = {}) => {
    const { words, characters } = new TextGrams({ words: 2, characters: 5, maxTokens: 16, ...changed }).read(text);
    return { words: [...words], characters: [...characters] };
  };

  it('of words begin before the first word', () => {
    expect(read('who is it').words).toHaveLength(3 + 3);
    expect(read('it is who').words).not.toContain(read('who').words[1]);
    expect(read('who is').words).toContain(read('who').words[1]);
    expect(read('a b c d', { words: 3 }).words).toHaveLength(4 + 4 + 3);
    expect(read('').words).toEqual([]);
  });

  it('of characters stay within a word, its blanks included', () => {
    expect(read('ab').characters).toHaveLength(3 + 2 + 1); // ' a', 'ab', 'b '; ' ab', 'ab '; ' ab '
    expect(read('ab cd').characters).toHaveLength(12);
    expect(read('ab cd').characters.slice(0, 6)).toEqual(read('ab').characters);
    expect(read('ab', { characters: 1 }).characters).toEqual([]);
    expect(read('AB').characters).toEqual(read('ab').characters);
  });

  it('are bounded for a word of a megabyte, and for a text of a megabyte', () => {
    expect(read('x'.repeat(1_000_000)).characters.length).toBeLessThan(200);
    expect(read('word '.repeat(200_000)).words).toHaveLength(32);
  });
});
