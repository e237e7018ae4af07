import { pipeline } from 'node:stream/promises';
import { TextDecoder } from 'node:util';
import { CsvError, parse } from 'csv-parse';
import type { Queryable } from '../../db/database.ts';
import { quoted } from '../../db/quoted.ts';
import type { RoleTransaction } from '../../db/role-login.ts';
import { withCommas } from '../../domain/csv-separator.ts';
import { PLAIN_TEXT, textTypes } from '../../domain/text-types.ts';
import { BadData } from '../../errors/errors.ts';
import { jsonExcess } from '../../runtime/frames/json-excess.ts';
import { HttpRefusal } from '../error-answer.ts';
import { boundedRows } from './bounded-rows.ts';
import { checkNames, MAX_UPLOADED_COLUMNS } from './column-names.ts';
import { copyText } from './copy-text.ts';

/** Of a row of CSV or a line of JSON: it is kept while it arrives. */
const MAX_LINE_CHARS = 16_000_000;

/** Of a line of JSON, which is parsed at once: brackets within each other, and all that open, with commas. Lines are rows, not documents. */
const lineLimits = { depth: 64, values: 250_000 };
/** Of lines of JSON that have no end yet, in all uploads: those that are longer than the first number, together. */
const [SHORT_CHARS, MAX_BEGUN_CHARS] = [64_000, 64_000_000];

export interface UploadedColumn {
  name: string;
  type: string;
}

/**
 * Makes a table of a file of texts. The rows go into a temporary table first, as they come: so memory does not grow with the file, and all of a
 * column's values decide its type. An empty text is NULL. Returns the columns and the number of rows.
 */
export async function loadTexts(
  on: RoleTransaction,
  { name, format, bytes }: { name: string; format: 'csv' | 'json-lines'; bytes: AsyncGenerator<Buffer> },
): Promise<{ columns: UploadedColumn[]; rows: number }> {
  const names = format === 'csv' ? await stageCsv(on, bytes) : await stageJsonLines(on, bytes);
  const columns = await typesOf(on, names);
  const list = columns.map(({ type }, i) => `nullif(c${i}, '')::${type} as ${quoted(names[i] ?? '')}`).join(', ');
  await on.query(`create table ${name} as select ${list} from pg_temp._uploaded order by _row`);
  const [count] = await on.query<{ rows: number }>('select count(*) as rows from pg_temp._uploaded');
  await on.query('drop table pg_temp._uploaded');
  return { columns, rows: count?.rows ?? 0 };
}

/** Columns c0, c1, … of texts; returns the names in the header. */
async function stageCsv(on: RoleTransaction, bytes: AsyncGenerator<Buffer>): Promise<string[]> {
  const parser = parse({ bom: true, skip_empty_lines: true });
  const texts = boundedRows(withCommas(decoded(bytes)), parser, MAX_LINE_CHARS, rowTooLong);
  const fed = pipeline(texts, parser);
  fed.catch(() => undefined); // the reader of the records gets the error
  try {
    const records = (parser as AsyncIterable<string[]>)[Symbol.asyncIterator]();
    const names = checkNames(((await next(records)) ?? []).map((name) => name.trim()));
    await createStage(on, names.length);
    await on.copyIn(copyInto(names.length), linesOf(records));
    await fed;
    return names;
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
    yield `${record.map(copyText).join('\t')}\n`;
  }
}

const columnsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `c${i}`);

const copyInto = (count: number): string => `copy pg_temp._uploaded (${columnsOf(count).join()}) from stdin`;

async function createStage(on: Queryable, count: number): Promise<void> {
  const columns = columnsOf(count).map((name) => `${name} text`);
  await on.query(
    `create temporary table _uploaded (_row bigint generated always as identity, ${columns.join()}) on commit drop`,
  );
}

/** As {@link stageCsv}: the names are the keys of the objects, in the order of their first appearance. */
async function stageJsonLines(on: RoleTransaction, bytes: AsyncGenerator<Buffer>): Promise<string[]> {
  await on.query('create temporary table _lines (n bigint generated always as identity, line text) on commit drop');
  await on.copyIn('copy pg_temp._lines (line) from stdin', splitLines(bytes));
  const found = await on.query<{ name: string }>(
    `select k.key as name from (select n, line::json as doc from pg_temp._lines) l, json_each(l.doc) with ordinality k (key, value, place)
     group by k.key order by min(l.n), min(k.place) limit ${MAX_UPLOADED_COLUMNS + 1}`,
  );
  const names = checkNames(found.map(({ name }) => name));
  await createStage(on, names.length);
  const values = names.map((_, i) => `line::json ->> $${i + 1}::text`);
  await on.query(
    `insert into pg_temp._uploaded (${columnsOf(names.length).join()}) select ${values.join()} from pg_temp._lines order by n`,
    names,
  );
  return names;
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

/** The first type that all values of a column have. */
async function typesOf(on: Queryable, names: readonly string[]): Promise<UploadedColumn[]> {
  const columns = columnsOf(names.length).map((c) => {
    const choices = textTypes.map(
      ({ type, pattern }) => `when bool_and(${c} ~ '${pattern}') filter (where ${c} <> '') then '${type}'`,
    );
    return `case ${choices.join(' ')} else '${PLAIN_TEXT}' end`;
  });
  const [row] = await on.query<{ types: string[] }>(`select array[${columns.join()}] as types from pg_temp._uploaded`);
  return names.map((name, i) => ({ name, type: row?.types[i] ?? PLAIN_TEXT }));
}
