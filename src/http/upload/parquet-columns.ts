import type { SchemaElement, SchemaTree } from 'hyparquet';
import { copyBytea, copyText, NULL } from './copy-text.ts';
import type { UploadedColumn } from './destination.ts';
import { columnText, isPlain, timeUnit } from './parquet-texts.ts';

/** A column of a Parquet file, and its type in Postgres. */
export interface ParquetColumn extends UploadedColumn {
  /** An image with its name, as in the Hub's data sets: {bytes, path}. */
  isFile: boolean;
  /** How a value becomes a text, if not by its type. */
  textOf?: (value: unknown) => string;
}

export const parquetColumns = (root: SchemaTree): ParquetColumn[] =>
  root.children.map((tree) => {
    const isFile = tree.children.some(({ element }) => element.name === 'bytes') && tree.children.length <= 2;
    const text = isPlain(tree) ? columnText(tree.element) : undefined;
    const column = { name: tree.element.name, isFile, type: isFile ? 'bytea' : typeOf(tree) };
    return text === undefined ? column : { ...column, textOf: text };
  });

function typeOf(tree: SchemaTree): string {
  const { element } = tree;
  if (!isPlain(tree)) return 'jsonb';
  if (timeUnit(element) !== undefined) return 'text';
  return logicalType(element) ?? physicalTypes[element.type ?? ''] ?? 'jsonb';
}

const physicalTypes: Readonly<Record<string, string>> = {
  BOOLEAN: 'boolean',
  INT32: 'bigint',
  INT64: 'bigint',
  INT96: 'timestamptz',
  FLOAT: 'float8',
  DOUBLE: 'float8',
  BYTE_ARRAY: 'bytea',
  FIXED_LEN_BYTE_ARRAY: 'bytea',
};

/** Newer files have a logical type, older ones a converted one. */
function logicalType({ logical_type: logical, converted_type: converted }: SchemaElement): string | undefined {
  if (logical?.type === 'TIMESTAMP') return logical.isAdjustedToUTC ? 'timestamptz' : 'timestamp';
  if (logical?.type === 'INTEGER') return logical.bitWidth === 64 && !logical.isSigned ? 'numeric' : 'bigint';
  return (logical === undefined ? undefined : logicalTypes[logical.type]) ?? logicalTypes[converted ?? ''];
}

const logicalTypes: Readonly<Record<string, string>> = {
  STRING: 'text',
  UTF8: 'text',
  ENUM: 'text',
  UUID: 'text',
  JSON: 'jsonb',
  DATE: 'date',
  DECIMAL: 'numeric',
  FLOAT16: 'float8',
  UINT_64: 'numeric',
  TIMESTAMP_MILLIS: 'timestamptz',
  TIMESTAMP_MICROS: 'timestamptz',
};

/** A value in the text format of COPY. Throws for what Postgres has not. */
export function copyValue({ type, isFile, textOf: text }: ParquetColumn, given: unknown): string {
  const value = isFile ? (given as { bytes?: unknown } | null | undefined)?.bytes : given;
  if (value === null || value === undefined) return NULL;
  if (text !== undefined) return copyText(text(value));
  if (type === 'jsonb') return copyText(JSON.stringify(value, asJson));
  if (value instanceof Uint8Array)
    return type === 'bytea' ? copyBytea(value) : copyText(Buffer.from(value).toString('utf8'));
  if (typeof value === 'object') return copyText(JSON.stringify(value, asJson));
  return type === 'bytea' ? copyBytea(Buffer.from(String(value))) : copyText(String(value));
}

function asJson(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}
