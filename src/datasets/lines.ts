import { StringDecoder } from 'node:string_decoder';

/**
 * The lines of a text in UTF-8, together those that a chunk ends; null for each that has more characters than `max`, which are not kept.
 * Lines end with a line feed only: node:readline also ends them at U+2028, which JSON does not escape.
 */
export async function* linesOf(
  chunks: AsyncIterable<Buffer>,
  max = Number.POSITIVE_INFINITY,
): AsyncGenerator<(string | null)[]> {
  const decoder = new StringDecoder('utf8');
  let unfinished: string[] = [];
  let chars = 0;
  const keep = (part: string): void => {
    chars += part.length;
    if (chars <= max) unfinished.push(part);
    else unfinished = [];
  };
  const end = (): string | null => {
    const line = chars > max ? null : unfinished.join('');
    unfinished = [];
    chars = 0;
    return line;
  };
  for await (const chunk of chunks) {
    const parts = decoder.write(chunk).split('\n');
    const last = parts.pop() ?? '';
    yield parts.map((part) => {
      keep(part);
      return end();
    });
    keep(last);
  }
  if (chars > 0) yield [end()];
}
