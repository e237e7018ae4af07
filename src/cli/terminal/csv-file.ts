import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { CsvError, parse } from 'csv-parse/sync';
import { checkSeparator } from '../../domain/csv-separator.ts';
import { MAX_TABLE_COLUMNS } from '../../domain/table.ts';
import { PLAIN_TEXT, textTypes } from '../../domain/text-types.ts';
import { BadData } from '../../errors/errors.ts';

export interface CsvColumn {
  name: string;
  /** A type of PostgreSQL. */
  type: string;
  /** Null for an empty field. */
  values: (string | null)[];
}

/** Texts with more characters than this on average are sentences, not categories. */
const SENTENCE = 25;

export function hasSentences({ type, values }: CsvColumn): boolean {
  return type === 'text' && values.reduce((sum, value) => sum + (value?.length ?? 0), 0) > SENTENCE * values.length;
}

/** Enough for the first line. */
const HEADER_BYTES = 100_000;
/** It is read as a whole. Larger tables belong into the database, by COPY. */
const MAX_BYTES = 256 * 2 ** 20;

const types = textTypes.map(({ type, pattern }) => ({ type, pattern: new RegExp(pattern) }));

/** The first type that all values fit, and text if there are none. */
function typeOf(values: readonly (string | null)[]): string {
  const given = values.filter((value) => value !== null);
  return (
    (given.length > 0 && types.find(({ pattern }) => given.every((value) => pattern.test(value)))?.type) || PLAIN_TEXT
  );
}

/** The columns of a file with a header line, each with the type that all its values have. Throws {@link BadData}. */
export function readCsv(file: string): CsvColumn[] {
  const { size } = statSync(file);
  if (size > MAX_BYTES) {
    throw new BadData(`${file} has ${size} bytes`, {
      detail: `A file may have ${MAX_BYTES}.`,
      hint: 'Load it into a table with \\copy in psql, and train on that with rafiki_train.',
    });
  }
  const [header = [], ...rows] = csvRecords(
    file,
    'It needs a header line; quote texts that contain commas, quotes or line breaks.',
  );
  const duplicate = header.find((name, i) => header.indexOf(name) !== i);
  if (
    rows.length === 0 ||
    header.some((name) => name === '') ||
    duplicate !== undefined ||
    header.length > MAX_TABLE_COLUMNS
  ) {
    throw new BadData(`${file} needs a header line with a name for each column, and rows`, {
      detail:
        duplicate === undefined
          ? `Its first line has ${header.length} fields: ${header.slice(0, 10).join(', ')}; ${rows.length} rows follow.`
          : `The name "${duplicate}" occurs twice.`,
    });
  }
  return header.map((name, i) => {
    const values = rows.map((row) => row[i] || null);
    return { name, type: typeOf(values), values };
  });
}

/** The lines of a file as fields. Throws {@link BadData} with this hint. */
export function csvRecords(file: string, hint: string): string[][] {
  const bytes = readFileSync(file);
  if (!isUtf8(bytes)) {
    throw new BadData(`${file} is not valid UTF-8`, { hint: `Convert it: iconv -f WINDOWS-1252 -t UTF-8 ${file}` });
  }
  checkSeparator(bytes.toString('utf8', 0, HEADER_BYTES));
  try {
    return parse(bytes, { bom: true, skip_empty_lines: true });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new BadData(`${file} is not a CSV file`, {
      detail: `${error.code.toLowerCase().replaceAll('_', ' ')}, at line ${error['lines'] ?? '?'}.`,
      hint,
      cause: error,
    });
  }
}
