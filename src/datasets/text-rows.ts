import { labelTooLong, MAX_LABEL_CHARS } from '../domain/class-limits.ts';
import { type BadRowRule, leaveOut } from './bad-row.ts';

const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** `["`, the longest label that is allowed with each character escaped, and one more. */
const HEAD_BYTES = 2 + 6 * (MAX_LABEL_CHARS + 1);

/** Lines `["label", "text"]` as Postgres writes them → the same, without those whose label is too long. None is kept whole. */
export async function* textLines(chunks: AsyncIterable<Buffer>, rule: BadRowRule): AsyncGenerator<Buffer> {
  let begun: Buffer = Buffer.alloc(0);
  let number = 1;
  /** The line that starts with these bytes; undefined if too few of them are available. */
  let isKept: boolean | undefined;
  for await (const chunk of chunks) {
    const bytes = begun.length === 0 ? chunk : Buffer.concat([begun, chunk]);
    let at = 0;
    let keptFrom = 0;
    while (at < bytes.length) {
      const end = bytes.indexOf(LINE_FEED, at) + 1;
      const next = end === 0 ? bytes.length : end;
      if (isKept === undefined && end === 0 && next - at < HEAD_BYTES) break;
      isKept ??= judge(bytes.subarray(at, Math.min(next, at + HEAD_BYTES)), number, rule);
      if (!isKept) {
        if (at > keptFrom) yield bytes.subarray(keptFrom, at);
        keptFrom = next;
      }
      at = next;
      if (end === 0) continue;
      isKept = undefined;
      number++;
    }
    if (at > keptFrom) yield bytes.subarray(keptFrom, at);
    begun = bytes.subarray(at);
  }
  if (begun.length > 0) yield begun; // a COPY ends with a line feed
}

function judge(head: Buffer, number: number, rule: BadRowRule): boolean {
  if (!isTooLong(head)) return true;
  leaveOut({ name: `Row ${number} as read`, error: labelTooLong() }, rule);
  return false;
}

function isTooLong(head: Buffer): boolean {
  let chars = 0;
  for (let at = 2; at < head.length && head[at] !== QUOTE; chars++) {
    if (head[at] === BACKSLASH)
      at += head[at + 1] === 0x75 ? 6 : 2; // \u0001, and \n
    else
      do at++;
      while (((head[at] ?? 0) & 0xc0) === 0x80); // the bytes of one character
    if (chars === MAX_LABEL_CHARS) return true;
  }
  return false;
}
