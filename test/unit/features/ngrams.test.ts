import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createNgramEncoder, fitNgrams, type NgramOptions, tableRows } from '../../../src/features/ngrams.ts';

import { createEncoder } from '../../../src/features/registry.ts';
import { tokenise } from '../../../src/features/tokenise.ts';

const options: NgramOptions = { ngrams: 2, maxTokens: 32, minTexts: 1, maxRows: 1000, unknown: 0, margin: 0 };

function encoderOf(texts: string[], changed: Partial<NgramOptions> = {}) {
  const features = { encoder: 'ngrams', classes: ['a', 'b'], state: fitNgrams(texts, { ...options, ...changed }) };
  return { features, encoder: createNgramEncoder(features) };
}

const idsOf = (texts: string[], encoded: string[], changed: Partial<NgramOptions> = {}): number[][] => {
  const { ids } = encoderOf(texts, changed).encoder.encode(encoded);
  const [rows = 0, width = 0] = ids?.shape ?? [];
  return Array.from({ length: rows }, (_, i) =>
    Array.from(ids?.data.subarray(i * width, (i + 1) * width) ?? [], Number),
  );
};

const count = (text: string): number => tokenise(text, new Int32Array(100));

/** Any strings of UTF-16 units, lone surrogates included. */
const anyText = fc.string({ unit: 'binary', maxLength: 200 });

describe('tokenise', () => {
  it('splits words, punctuation, emoji and unspaced scripts', () => {
    expect(count("isn't it 3.14?")).toBe(6); // isn't it 3 . 14 ?
    expect(count('👍🏽 ok')).toBeGreaterThanOrEqual(2);
    expect(count('日本語')).toBe(3);
    expect(count('')).toBe(0);
    expect(count(' \t\n\u0000')).toBe(0);
  });

  it('ignores case, and distinguishes accents', () => {
    const hash = (text: string): number => {
      const out = new Int32Array(1);
      tokenise(text, out);
      return out[0] as number;
    };
    expect(hash('HELLO')).toBe(hash('hello'));
    expect(hash('Ärger')).toBe(hash('ärger'));
    expect(hash('cafe')).not.toBe(hash('café'));
  });

  it('reads at most the maximum of tokens, also of a text of 1 MB', () => {
    expect(tokenise('word '.repeat(200_000), new Int32Array(16))).toBe(16);
  });

  it('accepts any string', () => {
    fc.assert(fc.property(anyText, (text) => count(text) <= 100));
  });
});

describe('n-gram features', () => {
  it('encode equal texts equally, alone and in a batch, up to padding', () => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1, maxLength: 5 }), (texts) => {
        const { encoder } = encoderOf(texts);
        const together = encoder.encode(texts)['ids'];
        const width = together?.shape[1] ?? 0;
        texts.forEach((text, i) => {
          const alone = Array.from(encoder.encode([text])['ids']?.data ?? [], Number);
          const row = Array.from(together?.data.subarray(i * width, (i + 1) * width) ?? [], Number);
          expect(row).toEqual([...alone, ...new Array(row.length - alone.length).fill(0)].slice(0, row.length));
        });
      }),
    );
  });

  it('stay inside the table', () => {
    fc.assert(
      fc.property(
        fc.array(anyText, { minLength: 1 }),
        anyText,
        fc.constantFrom<0 | 1>(0, 1),
        (texts, other, unknown) => {
          const { encoder, features } = encoderOf(texts, { unknown });
          for (const id of encoder.encode([other])['ids']?.data ?? [])
            expect(Number(id)).toBeLessThan(tableRows(features));
        },
      ),
    );
  });

  it('know words and bigrams of the training texts only', () => {
    expect(idsOf(['a b'], ['a b'])[0]?.filter((id) => id > 0)).toHaveLength(3);
    expect(idsOf(['a b'], ['b a'])[0]?.filter((id) => id > 0)).toHaveLength(2);
    expect(idsOf(['a b'], ['c'])).toEqual([[0]]);
  });

  it('keep the position of an unknown word if positions count', () => {
    const [row] = idsOf(['a b'], ['a z b'], { ngrams: 1, unknown: 1 });
    expect(row?.[1]).toBe(1);
    expect(new Set(row).size).toBe(3);
  });

  it('leave out tokens below the minimum frequency, and the rarest above the limit', () => {
    expect(tableRows(encoderOf(['a b', 'a c'], { minTexts: 2 }).features)).toBe(2);
    expect(tableRows(encoderOf(['a b', 'a c'], { maxRows: 2 }).features)).toBe(3);
  });

  it('can be stored and loaded from unaligned bytes in a larger buffer', () => {
    const { features, encoder } = encoderOf(['a b', 'b c']);
    const hashes = features.state['hashes'] as Uint8Array;
    const larger = Buffer.alloc(hashes.length + 1);
    larger.set(hashes, 1);
    const stored = { ...features, state: { ...features.state, hashes: larger.subarray(1) } };
    expect(createNgramEncoder(stored).encode(['a b c'])).toEqual(encoder.encode(['a b c']));
  });

  it('refuse a state that is not theirs', () => {
    const { features } = encoderOf(['a']);
    const broken = { ...features, state: { ...features.state, hashes: 'gone' } };
    expect(() => createNgramEncoder(broken)).toThrow(expect.objectContaining({ sqlstate: 'XX001' }));
  });

  it('of a later version are no fault of the model', () => {
    const { features } = encoderOf(['a']);
    expect(() => createEncoder({ ...features, encoder: 'later' })).toThrow(
      expect.objectContaining({ sqlstate: '58000' }),
    );
  });
});
