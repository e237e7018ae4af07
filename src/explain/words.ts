import { BadData } from '../errors/errors.ts';
import type { Explained } from './member.ts';

/** No model reads more words than this, nor more characters; what follows counts as the last part. */
const MAX_WORDS = 1024;
const MAX_CHARS = 65_536;
/** Words are grouped, so that a text has at most so many parts. */
const MAX_PARTS = 64;

/** Words with their punctuation; of scripts without spaces, characters. */
const word =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]+/gu;

/** A part of a text: some consecutive words, with what is between them. */
export interface WordGroup {
  /** Of its first and last word, from 1 on. */
  first: number;
  last: number;
  text: string;
}

/** The parts of a text, in order. Throws {@link BadData} for a text without words. */
export function wordGroups(text: string): WordGroup[] {
  const read = text.slice(0, MAX_CHARS);
  const ends: { from: number; to: number }[] = [];
  for (const { index, 0: found } of read.matchAll(word)) {
    ends.push({ from: index, to: index + found.length });
    if (ends.length === MAX_WORDS) break;
  }
  if (ends.length === 0) {
    throw new BadData('the text has no words, so there is nothing to explain', {
      detail: `It has ${text.length} characters.`,
      hint: 'Give a text with words.',
    });
  }
  const size = Math.ceil(ends.length / MAX_PARTS);
  const groups: WordGroup[] = [];
  for (let first = 0; first < ends.length; first += size) {
    const last = Math.min(ends.length, first + size) - 1;
    const [from, to] = [ends[first]?.from ?? 0, ends[last]?.to ?? 0];
    groups.push({ first: first + 1, last: last + 1, text: read.slice(from, to) });
  }
  return groups;
}

/** A text whose parts are groups of words; one without some of them is shorter. */
export function explainedText(text: string): Explained {
  const groups = wordGroups(text);
  return {
    input: text,
    parts: groups.length,
    without: async (coalitions) =>
      coalitions.map((known) =>
        known.every((is) => is === 1)
          ? text
          : groups
              .filter((_, part) => known[part] === 1)
              .map((group) => group.text)
              .join(' '),
      ),
  };
}
