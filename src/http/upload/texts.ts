import { pipeline } from 'node:stream/promises';
import { TextDecoder } from 'node:util';
import { CsvError, parse } from 'csv-parse';
import type { RoleTransaction } from '../../db/role-login.ts';
import { withCommas } from '../../domain/csv-separator.ts';
import { BadData } from '../../errors/errors.ts';
import { jsonExcess } from '../../runtime/frames/json-excess.ts';
import { HttpRefusal } from '../error-answer.ts';
import { boundedRows } from './bounded-rows.ts';
import { checkNames, MAX_UPLOADED_COLUMNS } from './column-names.ts';
import { copyText, NULL } from './copy-text.ts';
import type { Destination, Uploaded } from './destination.ts';

/** Of a row of CSV or a line of JSON: it is kept while it arrives. */
const MAX_LINE_CHARS = 16_000_000;

/** Of a line of JSON, which is parsed at once: brackets within each other, and all that open, with commas. Lines are rows, not documents. */
const lineLimits = { depth: 64, values: 250_000 };
/** Of lines of JSON that have no end yet, in all uploads: those that are longer than the first number, together. */
const [SHORT_CHARS, MAX_BEGUN_CHARS] = [64_000, 64_000_000];

export interface TextFile {
  format: 'csv' | 'json-lines';
  bytes: AsyncGenerator<Buffer>;
}

/** Brings the rows of a file of texts to their destination as they come: memory does not grow with the file. An empty text is NULL. */
export const loadTexts = (
  on: RoleTransaction,
  { format, bytes }: TextFile,
  destination: Destination,
): Promise<Uploaded> => (format === 'csv' ? loadCsv(on, bytes, destination) : loadJsonLines(on, bytes, destination));

async function loadCsv(
  on: RoleTransaction,
  bytes: AsyncGenerator<Buffer>,
  destination: Destination,
): Promise<Uploaded> {
  const parser = parse({ bom: true, skip_empty_lines: true });
  const texts = boundedRows(withCommas(decoded(bytes)), parser, MAX_LINE_CHARS, rowTooLong);
  const fed = pipeline(texts, parser);
  fed.catch(() => undefined); // the reader of the records gets the error
  try {
    const records = (parser as AsyncIterable<string[]>)[Symbol.asyncIterator]();
    const names = checkNames(((await next(records)) ?? []).map((name) => name.trim()));
    const { table, finish } = await destination(names.map((name) => ({ name })));
    await on.copyIn(`copy ${table} from stdin`, linesOf(records));
    await fed;
    return await finish();
  } finally {
    parser.destroy();
  }
}

const rowTooLong = (): BadData =>
  new BadData('a row of the uploaded file is too long', {
    detail: `The maximum is ${MAX_LINE_CHARS} characters.`,
    hint: 'Is a closing quote missing?',
  });

async function next(records: AsyncIterator<string[]>): Promise<string[] | undefined> {
  try {
    const { value, done } = await records.next();
    return done === true ? undefined : value;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new BadData('the uploaded file is not CSV', {
      detail: error.message.slice(0, 300),
      hint: 'Write it by RFC 4180.',
      cause: error,
    });
  }
}

async function* linesOf(records: AsyncIterator<string[]>): AsyncGenerator<string> {
  for (let record = await next(records); record !== undefined; record = await next(records)) {
    yield `${record.map((field) => (field === '' ? NULL : copyText(field))).join('\t')}\n`;
  }
}

/** As {@link loadCsv}: the columns are the keys of the objects, in the order of their first appearance, and are known after the last line. */
async function loadJsonLines(
  on: RoleTransaction,
  bytes: AsyncGenerator<Buffer>,
  destination: Destination,
): Promise<Uploaded> {
  await on.query('create temporary table _lines (n bigint generated always as identity, line text) on commit drop');
  await on.copyIn('copy pg_temp._lines (line) from stdin', splitLines(bytes));
  const found = await on.query<{ name: string }>(
    `select k.key as name from (select n, line::json as doc from pg_temp._lines) l, json_each(l.doc) with ordinality k (key, value, place)
     group by k.key order by min(l.n), min(k.place) limit ${MAX_UPLOADED_COLUMNS + 1}`,
  );
  const names = checkNames(found.map(({ name }) => name));
  const { table, finish } = await destination(names.map((name) => ({ name })));
  await on.query(
    `insert into ${table} select r.* from pg_temp._lines l,
       json_populate_record(null::${table}, (select json_object_agg(e.key, e.value) from json_each(l.line::json) e where e.value::text <> '""')) r
     order by l.n`,
  );
  return finish();
}

/** Each chunk is searched once, and a line is put together at its end: a long one must not cost the square of its length. */
async function* splitLines(bytes: AsyncGenerator<Buffer>): AsyncGenerator<string> {
  const held = new BegunLine();
  let begun: string[] = [];
  let begunChars = 0;
  let before = 0;
  try {
    for await (const text of decoded(bytes)) {
      const [first = '', ...others] = text.split('\n');
      begun.push(first);
      begunChars += first.length;
      if (begunChars > MAX_LINE_CHARS) throw tooLong(before + 1);
      held.has(begunChars);
      const rest = others.pop();
      if (rest === undefined) continue;
      yield [begun.join(''), ...others].map((line, i) => copiedObject(line, before + i + 1)).join('');
      before += others.length + 1;
      begun = [rest];
      begunChars = rest.length;
    }
    yield copiedObject(begun.join(''), before + 1);
  } finally {
    held.has(0);
  }
}

/** Counts what lines without an end take in this process. Which uploads come with one is seen only as they arrive. */
class BegunLine {
  static #charsOfAll = 0;
  #chars = 0;

  has(chars: number): void {
    const counted = chars > SHORT_CHARS ? chars : 0;
    BegunLine.#charsOfAll += counted - this.#chars;
    this.#chars = counted;
    if (counted > 0 && BegunLine.#charsOfAll > MAX_BEGUN_CHARS) {
      throw new HttpRefusal({ status: 503, sqlstate: '53200' }, 'too many uploads have long lines at the same time', {
        hint: 'Upload it again later.',
      });
    }
  }
}

const tooLong = (number: number): BadData =>
  new BadData(`line ${number} of the uploaded file is too long`, {
    detail: `The maximum is ${MAX_LINE_CHARS} characters.`,
    hint: 'Write one object on each line: {"body": "…", "label": "…"}.',
  });

/** Nothing for an empty line. */
function copiedObject(line: string, number: number): string {
  if (line.trim() === '') return '';
  const excess = jsonExcess(Buffer.from(line), lineLimits);
  if (excess !== undefined) {
    throw new BadData(
      `line ${number} of the uploaded file ${excess === 'depth' ? 'is too deep' : 'has too many values'}`,
      {
        detail: `The maximum is ${lineLimits.depth} brackets within each other, and ${lineLimits.values} brackets and commas.`,
        hint: 'Write one object on each line: {"body": "…", "label": "…"}.',
      },
    );
  }
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return `${copyText(line)}\n`;
  } catch {
    // as another value
  }
  throw new BadData(`line ${number} of the uploaded file is no JSON object`, {
    detail: `It is: ${line.slice(0, 80)}${line.length > 80 ? '…' : ''}`,
    hint: 'Write one object on each line: {"body": "…", "label": "…"}.',
  });
}

/** Throws {@link BadData} for bytes that are not UTF-8: a table of replacement characters would look like the file. */
async function* decoded(bytes: AsyncGenerator<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf8', { fatal: true });
  try {
    for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true });
    yield decoder.decode();
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_ENCODING_INVALID_ENCODED_DATA') throw cause;
    throw new BadData('the uploaded file is not valid UTF-8', { hint: 'Convert it to UTF-8.', cause });
  }
}
