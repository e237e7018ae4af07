import type { Queryable } from '../../db/database.ts';
import { quoted } from '../../db/quoted.ts';

export interface UploadedColumn {
  name: string;
  type: string;
}

/** A column of a file; texts have no type. */
export interface FileColumn {
  name: string;
  type?: string;
}

/** What an upload became. */
export interface Uploaded {
  dataset: string;
  rows: number;
  columns: UploadedColumn[];
}

/** Makes ready for the rows of a file with these columns. */
export type Destination = (columns: readonly FileColumn[]) => Promise<Receiver>;

interface Receiver {
  /** The table whose columns are those of the file, for COPY. */
  table: string;
  /** After the last row. */
  finish(): Promise<Uploaded>;
}

/** Rows that are not yet where they belong. Its scans are in the order of its rows: others neither join them nor share them. */
export const STAGE = 'pg_temp._uploaded';

export async function createStage(on: Queryable, columns: readonly UploadedColumn[]): Promise<void> {
  await on.query(`create temporary table _uploaded (${definitions(columns)}) on commit drop`);
}

export const definitions = (columns: readonly UploadedColumn[]): string =>
  columns.map(({ name, type }) => `${quoted(name)} ${type}`).join(', ');
