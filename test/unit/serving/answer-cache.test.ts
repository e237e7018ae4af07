import { describe, expect, it } from 'vitest';
import { AnswerCache } from '../../../src/serving/answer-cache.ts';

describe('AnswerCache', () => {
  it('finds an answer by version and text, short or long', () => {
    const cache = new AnswerCache();
    for (const input of ['', 'short', 'x'.repeat(300), 'x'.repeat(1_000_000)]) {
      cache.set(1, input, `label of ${input.length}`);
      expect(cache.get(1, input)).toBe(`label of ${input.length}`);
      expect(cache.get(2, input)).toBeUndefined();
      expect(cache.has(1, `${input}!`)).toBe(false);
    }
  });

  it('distinguishes pairs of version and text with the same concatenation', () => {
    const cache = new AnswerCache();
    cache.set(1, '1t', 'a');
    expect(cache.get(11, 't')).toBeUndefined();
    expect(cache.get(1, '1')).toBeUndefined();
  });

  it('keeps no more entries and bytes than it was given', () => {
    const few = new AnswerCache({ maxEntries: 10 });
    for (let i = 0; i < 100; i++) few.set(1, `text ${i}`, 'label');
    expect(few.get(1, 'text 0')).toBeUndefined();
    expect(few.get(1, 'text 99')).toBe('label');
    const small = new AnswerCache({ maxBytes: 2000 });
    for (let i = 0; i < 100; i++) small.set(1, `text ${i}`, 'label');
    expect(Array.from({ length: 100 }, (_, i) => small.has(1, `text ${i}`)).filter(Boolean).length).toBeLessThan(20);
  });
});
