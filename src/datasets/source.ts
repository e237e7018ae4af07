import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ByteCount, copyBytes, copyLines } from '../db/copy.ts';
import type { Connection } from '../db/database.ts';
import { translatePostgresError } from '../db/postgres-error.ts';
import { readerCall } from '../db/reader-login.ts';
import type { Reading } from '../db/statements/readings.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import { inputOf, type Task } from '../domain/task.ts';
import { StatementRefused } from '../errors/errors.ts';
import type { Skipped } from './bad-row.ts';
import { imageRecords, MAX_ROW_BYTES } from './image-rows.ts';
import { tableBlocks } from './table-blocks.ts';
import { textLines } from './text-rows.ts';

/**
 * Streams the labelled rows of a study's source to its data file (`data-file.ts`), exactly as the study's owner sees
 * them. Checks labels, images and boxes; returns the number of skipped rows.
 *
 * `connection` is a session of the reader, a login without rights, opened for the one function that it calls. The
 * function belongs to the owner and runs with its rights; the owner's code can only reach the reader login. The caller
 * closes the connection afterwards, because that code may have changed its settings.
 */
export async function readSource(
  connection: Connection,
  { reader, onBadRow, columns }: Reading,
  { task, count, destination }: { task: Task; count: ByteCount; destination: Writable },
): Promise<Skipped> {
  try {
    await connection.query('begin isolation level repeatable read read only');
    const call = `select ${await readerCall(connection, reader)}`;
    const skipped: Skipped = { rows: 0, example: null };
    const checking = { kind: kindOf(task), columns, onBadRow, skipped };
    const converted = {
      text: () => textLines(copyLines(connection, call, count), checking),
      image: () => imageRecords(copyBytes(connection, call, { count, max: MAX_ROW_BYTES }), checking),
      columns: () => tableBlocks(copyLines(connection, call, count), checking),
    };
    await pipeline(converted[inputOf(task)](), destination);
    await connection.query('rollback');
    return skipped;
  } catch (error) {
    throw explained(translatePostgresError(error));
  }
}

/** undefined_function, undefined_table, undefined_object */
const unknownNames = new Set(['42883', '42P01', '42704']);

/** Errors of Postgres for which a better hint is added, because the caller cannot know which code is behind them. */
function explained(error: unknown): unknown {
  if (!(error instanceof StatementRefused)) return error;
  const { sqlstate, message, detail, hint } = error;
  if (unknownNames.has(sqlstate)) {
    return new StatementRefused(sqlstate, message, {
      detail: 'Code behind the source names it without a schema, and workers read with the search path pg_catalog.',
      hint: 'Set the search path of the function: alter function … set search_path = public; or name the schema in it.',
      cause: error,
    });
  }
  if (hint !== undefined || !/set parameter "(role|session_authorization)"/.test(message)) return error;
  return new StatementRefused(sqlstate, message, {
    detail: detail ?? 'Code behind the source changes its role.',
    hint: 'A source is read by a function with the rights of the role that trains, in which SET ROLE is refused. Copy the rows into a table: create table … as select …',
    cause: error,
  });
}
