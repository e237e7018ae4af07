import { BadData } from '../errors/errors.ts';

/** Of the first line, which is all that is looked at. */
const MAX_HEADER_CHARS = 100_000;
const separators: Readonly<Record<string, string>> = { ';': 'semicolons', '\t': 'tabs', '|': 'vertical bars' };

/**
 * Throws {@link BadData} if the fields of a CSV text seem to be separated otherwise than by commas: it would be read as one column, or as columns that
 * end within numbers. A name in quotes may have any of them.
 */
export function checkSeparator(begin: string): void {
  const [line = ''] = begin
    .slice(0, MAX_HEADER_CHARS)
    .replace(/^[\r\n]+/, '')
    .split(/[\r\n]/, 1);
  const unquoted = line.replace(/"[^"]*"/g, '').trim();
  const found = unquoted.includes(',') ? undefined : Object.keys(separators).find((each) => unquoted.includes(each));
  if (found === undefined) return;
  throw new BadData('the file separates its columns otherwise than by commas', {
    detail: `Its first line has ${separators[found]}: ${line.slice(0, 80)}${line.length > 80 ? '…' : ''}`,
    hint: 'Write it with commas; a name that has another separator in it, in quotes.',
  });
}

/** Passes a text on, and checks its first line before the end of that is passed on. */
export async function* withCommas(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let begin: string | undefined = '';
  for await (const text of texts) {
    if (begin !== undefined) {
      begin += text;
      if (begin.length >= MAX_HEADER_CHARS || /[^\r\n][\r\n]/.test(begin)) {
        checkSeparator(begin);
        begin = undefined;
      }
    }
    yield text;
  }
  checkSeparator(begin ?? '');
}
