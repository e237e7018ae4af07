import { expect, it } from 'vitest';
import { explainedText, wordGroups } from '../../../src/explain/words.ts';

it('a text has a part for each word, with its punctuation; scripts without spaces one for each character', () => {
  expect(wordGroups(' a great film,\n truly! ').map(({ text }) => text)).toEqual(['a', 'great', 'film,', 'truly!']);
  expect(wordGroups('好电影 ok').map(({ text }) => text)).toEqual(['好', '电', '影', 'ok']);
});

it('words of a longer text are grouped', () => {
  const groups = wordGroups(Array.from({ length: 130 }, (_, i) => `w${i}`).join(' '));
  expect(groups).toHaveLength(44);
  expect(groups[0]).toEqual({ first: 1, last: 3, text: 'w0 w1 w2' });
  expect(groups.at(-1)).toEqual({ first: 130, last: 130, text: 'w129' });
});

it('a huge text has few parts, of what models read of it', async () => {
  const text = 'many words '.repeat(700_000);
  const { parts, without } = explainedText(text);
  expect(parts).toBe(64);
  const texts = await without?.([
    new Uint8Array(parts),
    Uint8Array.from({ length: parts }, (_, i) => Number(i < 2)),
    new Uint8Array(parts).fill(1),
  ]);
  const [none, some, all] = texts ?? [];
  expect(none).toBe('');
  expect(String(some).split(' ')).toHaveLength(32);
  expect(all).toBe(text);
});

it.each(['', ' \n\t '])('a text without words is refused: %j', (text) => {
  expect(() => wordGroups(text)).toThrow(
    expect.objectContaining({ sqlstate: '22000', message: 'the text has no words, so there is nothing to explain' }),
  );
});
