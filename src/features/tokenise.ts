/**
 * Converts texts to 32-bit token hashes without creating strings: one pass over the characters, a few µs per sentence.
 *
 * A token is a run of letters and digits, with apostrophes inside it ("isn't"), or one other visible character:
 * punctuation, an emoji, or a letter of a script that writes no spaces between words (Chinese, Japanese, Thai).
 */
const blank = 1;
const word = 2;
const mark = 3; // accents and variation selectors: part of a word, ignored otherwise
const apostrophe = 4;
const single = 5;

const wordChar = /[\p{L}\p{N}_]/u;
const markChar = /\p{M}/u;
const unspacedChar =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;
const blankChar = /[\p{Z}\p{C}]/u;

/** Class of each code point, computed on demand by the expressions above; 0 is unknown. One byte each, 1.1 MB. */
const classes = new Uint8Array(0x110000);

/** Maximum characters read per requested token: bounds the work on megabytes of text with few tokens. */
const charsPerToken = 64;

const offsetBasis = 0x811c9dc5;
const prime = 0x01000193;

/** The part of a text that is read to find `tokens` tokens. */
export const readPart = (text: string, tokens: number): string =>
  text.length > tokens * charsPerToken ? text.slice(0, tokens * charsPerToken) : text;

/**
 * Writes the hashes of the first tokens to `out`, up to its length. Returns their number. Start and end of token i in
 * the lower-case text are spans[2i] and spans[2i + 1].
 */
export function tokenise(text: string, out: Int32Array, spans?: Int32Array): number {
  const limit = out.length;
  const lower = readPart(text, limit).toLowerCase();
  const length = lower.length;
  let count = 0;
  let hash = 0; // of the open word; 0 when none is open
  let begin = 0;
  const addToken = (token: number, end: number): void => {
    if (spans !== undefined) {
      spans[2 * count] = begin;
      spans[2 * count + 1] = end;
    }
    out[count++] = token;
  };
  for (let i = 0; i < length && count < limit; i++) {
    const at = i;
    let code = lower.charCodeAt(i);
    if ((code & 0xfc00) === 0xd800) code = lower.codePointAt(i) as number;
    if (code > 0xffff) i++;
    const kind = classes[code] || classify(code);
    if (kind === word || (kind === mark && hash !== 0) || (kind === apostrophe && hash !== 0)) {
      if (hash === 0) begin = at;
      hash = extend(hash, code);
      continue;
    }
    if (hash !== 0) {
      addToken(finish(hash), at);
      hash = 0;
    }
    if (kind >= apostrophe && count < limit) {
      begin = at;
      addToken(finish(extend(0, code)), i + 1);
    }
  }
  if (hash !== 0 && count < limit) addToken(finish(hash), length);
  return count;
}

/** Hash of `first` followed by `second`: n-grams are chained token by token. */
export const chain = (first: number, second: number): number =>
  finish(Math.imul(first ^ 0x5bd1e995, 0x2c1b3c6d) ^ (second + 0x9e3779b9));

/** FNV-1a over code points; the state is never 0, which stands for "no word open". */
export function extend(hash: number, code: number): number {
  return Math.imul((hash === 0 ? offsetBasis : hash) ^ code, prime) | 1;
}

/** Spreads the state over all bits (murmur3's finaliser), so that the low bits can index a table. */
export function finish(state: number): number {
  let h = state ^ (state >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function classify(code: number): number {
  const kind = classOf(String.fromCodePoint(code));
  classes[code] = kind;
  return kind;
}

function classOf(char: string): number {
  if (char === "'" || char === '’') return apostrophe;
  if (unspacedChar.test(char)) return single;
  if (wordChar.test(char)) return word;
  if (markChar.test(char)) return mark;
  return blankChar.test(char) ? blank : single;
}
