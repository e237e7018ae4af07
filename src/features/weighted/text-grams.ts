import { chain, extend, finish, readPart, tokenise } from '../tokenise.ts';

/** Which n-grams of a text are read. */
export interface GramLengths {
  /** Maximum n of n-grams of words, 1 or more. */
  words: number;
  /** Maximum n of n-grams of characters, from 2 on; with less than 2 there are none. */
  characters: number;
  /** Maximum words per text; the rest is ignored. */
  maxTokens: number;
}

/** Of a longer word only the beginning is read for n-grams of characters. */
const MAX_WORD = 40;
const MIN_CHARACTERS = 2;
const BLANK = 32;
/** Where a text begins: a question's first word says more than the same word elsewhere. */
const BEGINNING = finish(extend(0, 0x110100));
const CHARACTERS = extend(0, 0x110101);

/** Reads texts as hashes of n-grams: of words, from two on with one that begins before the text; and of characters within a word and its blanks. */
export class TextGrams {
  readonly #lengths: GramLengths;
  readonly #tokens: Int32Array;
  readonly #spans: Int32Array;
  readonly #codes = new Int32Array(MAX_WORD + 2);
  readonly #words: Int32Array;
  #characters = new Int32Array(1024);

  constructor(lengths: GramLengths) {
    const { words, maxTokens } = lengths;
    this.#lengths = lengths;
    this.#tokens = new Int32Array(maxTokens);
    this.#spans = new Int32Array(2 * maxTokens);
    this.#words = new Int32Array((maxTokens + 1) * words);
  }

  /** Valid until the next text is read. */
  read(text: string): { words: Int32Array; characters: Int32Array } {
    const tokens = tokenise(text, this.#tokens, this.#spans);
    const words = this.#words.subarray(0, this.#readWords(tokens));
    if (this.#lengths.characters < MIN_CHARACTERS) return { words, characters: new Int32Array(0) };
    const lower = readPart(text, this.#lengths.maxTokens).toLowerCase();
    let found = 0;
    for (let i = 0; i < tokens; i++) {
      const length = this.#readCodes(lower, this.#spans[2 * i] as number, this.#spans[2 * i + 1] as number);
      found = this.#readCharacters(length, found);
    }
    return { words, characters: this.#characters.subarray(0, found) };
  }

  #readWords(tokens: number): number {
    this.#words.set(this.#tokens.subarray(0, tokens));
    let found = tokens;
    for (let n = 2; n <= this.#lengths.words; n++)
      for (let i = -1; i + n <= tokens; i++) {
        let hash = i < 0 ? BEGINNING : (this.#tokens[i] as number);
        for (let j = 1; j < n; j++) hash = chain(hash, this.#tokens[i + j] as number);
        this.#words[found++] = hash;
      }
    return found;
  }

  /** The code points of a word between two blanks. Returns their number. */
  #readCodes(lower: string, start: number, end: number): number {
    const codes = this.#codes;
    codes[0] = BLANK;
    let length = 1;
    for (let at = start; at < end && length <= MAX_WORD; at++) {
      const code = lower.codePointAt(at) as number;
      if (code > 0xffff) at++;
      codes[length++] = code;
    }
    codes[length++] = BLANK;
    return length;
  }

  /** Appends the n-grams of the word's characters. Returns how many there are then. */
  #readCharacters(length: number, from: number): number {
    const most = this.#lengths.characters;
    let found = from;
    if (found + length * most > this.#characters.length) {
      const grown = new Int32Array(2 * (found + length * most));
      grown.set(this.#characters.subarray(0, found));
      this.#characters = grown;
    }
    for (let first = 0; first + MIN_CHARACTERS <= length; first++) {
      let hash = CHARACTERS;
      const end = Math.min(length, first + most);
      for (let at = first; at < end; at++) {
        hash = extend(hash, this.#codes[at] as number);
        if (at > first) this.#characters[found++] = finish(hash);
      }
    }
    return found;
  }
}
