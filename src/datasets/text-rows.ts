import { labelTooLong, MAX_LABEL_CHARS } from '../domain/class-limits.ts';
import { labelOf, type TaskKind } from '../domain/kinds/kind.ts';
import { type BadRowRule, skipRow } from './bad-row.ts';

const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** `["` and a label of the maximum length plus one, with each character escaped. */
const HEAD_BYTES = 2 + 6 * (MAX_LABEL_CHARS + 1);

export interface TextRule extends BadRowRule {
  kind: TaskKind;
}

/** Passes on lines `["label", "text"]` as Postgres writes them, without those whose label cannot be used; no line is buffered completely. */
export async function* textLines(chunks: AsyncIterable<Buffer>, rule: TextRule): AsyncGenerator<Buffer> {
  let unfinished: Buffer = Buffer.alloc(0);
  let number = 1;
  /** The line that starts with these bytes; undefined if too few of them are available. */
  let isKept: boolean | undefined;
  for await (const chunk of chunks) {
    const bytes = unfinished.length === 0 ? chunk : Buffer.concat([unfinished, chunk]);
    let at = 0;
    let keptFrom = 0;
    while (at < bytes.length) {
      const end = bytes.indexOf(LINE_FEED, at) + 1;
      const next = end === 0 ? bytes.length : end;
      if (isKept === undefined && end === 0 && next - at < HEAD_BYTES) break;
      isKept ??= checkRow(bytes.subarray(at, Math.min(next, at + HEAD_BYTES)), number, rule);
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
    unfinished = bytes.subarray(at);
  }
  if (unfinished.length > 0) yield unfinished; // a COPY ends with a line feed
}

function checkRow(head: Buffer, number: number, rule: TextRule): boolean {
  try {
    labelOf(rule.kind, labelText(head));
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return true; // reading the file is an error
    skipRow({ name: `Row ${number} as read`, error }, rule);
    return false;
  }
}

/** The label of a line, of which `head` are the first bytes. Throws BadData for one that is too long. */
function labelText(head: Buffer): string {
  let chars = 0;
  let at = 2;
  for (; at < head.length && head[at] !== QUOTE; chars++) {
    if (chars === MAX_LABEL_CHARS) throw labelTooLong();
    if (head[at] === BACKSLASH)
      at += head[at + 1] === 0x75 ? 6 : 2; // \u0001, and \n
    else
      do at++;
      while (((head[at] ?? 0) & 0xc0) === 0x80); // the bytes of one character
  }
  const label: unknown = JSON.parse(head.toString('utf8', 1, at + 1));
  return String(label);
}
