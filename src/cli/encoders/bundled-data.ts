import { BadData } from '../../errors/errors.ts';

/** Objects in objects. */
const MAX_DEPTH = 64;

/** Before the value that a bundled CommonJS module is. */
const exported = /\bmodule\.exports=|\b\w+\.exports=(?=["'[{])/g;

/**
 * The value in a script that bundlers make of a data file: `….exports={…}`, minified. The script is read, not run: whatever is no literal is
 * refused. Throws {@link BadData}.
 */
export function bundledData(script: string, file: string): unknown {
  for (const { index, 0: before } of script.matchAll(exported)) {
    const at = index + before.length;
    if (!'{["\''.includes(script[at] ?? '')) continue;
    try {
      return new LiteralReader(script, at).value(0);
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      throw noData(file, cause.message);
    }
  }
  throw noData(file, 'It exports no value.');
}

/** Reads a literal of JavaScript as minifiers write it: !0 and !1, names without quotes, numbers such as .5 and 1e3. */
class LiteralReader {
  readonly #script: string;
  #at: number;

  constructor(script: string, at: number) {
    this.#script = script;
    this.#at = at;
  }

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw this.#error('values nested too deeply');
    const next = this.#script[this.#at];
    if (next === '{') return this.#object(depth);
    if (next === '[') return this.#list(']', () => this.value(depth + 1));
    if (next === '"' || next === "'") return this.#text(next);
    const word = this.#word(/(?:!0|!1|void 0|null|true|false|-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?![\w$.])/y);
    if (word === '!0' || word === 'true') return true;
    if (word === '!1' || word === 'false') return false;
    return word === 'null' || word === 'void 0' ? null : Number(word);
  }

  #object(depth: number): Record<string, unknown> {
    const entries = this.#list('}', (): [string, unknown] => {
      const quote = this.#script[this.#at];
      const key = quote === '"' || quote === "'" ? this.#text(quote) : this.#word(/[\w$]+/y);
      this.#expect(':');
      return [key, this.value(depth + 1)];
    });
    return Object.fromEntries(entries); // own properties, "__proto__" as well
  }

  #list<T>(end: string, item: () => T): T[] {
    this.#at++;
    const items: T[] = [];
    if (this.#script[this.#at] !== end) {
      for (;;) {
        items.push(item());
        if (this.#script[this.#at] !== ',') break;
        this.#at++;
      }
    }
    this.#expect(end);
    return items;
  }

  #text(quote: string): string {
    const from = this.#at + 1;
    let end = from;
    while (end < this.#script.length && this.#script[end] !== quote) end += this.#script[end] === '\\' ? 2 : 1;
    const inner = this.#script.slice(from, end);
    this.#at = end;
    this.#expect(quote);
    if (!inner.includes('\\')) return inner;
    const plain = inner.replaceAll("\\'", "'").replace(/(?<!\\)"/g, '\\"');
    try {
      return JSON.parse(`"${plain}"`) as string;
    } catch {
      throw this.#error('a text with other escapes than those of JSON');
    }
  }

  #word(form: RegExp): string {
    form.lastIndex = this.#at;
    const [word] = form.exec(this.#script) ?? [];
    if (word === undefined) throw this.#error('something else than a literal');
    this.#at += word.length;
    return word;
  }

  #expect(character: string): void {
    if (this.#script[this.#at] !== character) throw this.#error(`no ${character}`);
    this.#at++;
  }

  #error(what: string): SyntaxError {
    return new SyntaxError(`It has ${what} at character ${this.#at}.`);
  }
}

const noData = (file: string, detail: string): BadData =>
  new BadData(`${file} is no bundled data`, {
    detail,
    hint: 'It may be cut off, or of another version: fetch it again.',
  });
