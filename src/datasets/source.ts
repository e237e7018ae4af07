import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { copyBytes, copyLines } from '../db/copy.ts';
import type { Connection } from '../db/database.ts';
import { refusal } from '../db/refusal.ts';
import { inputOf, type Task } from '../domain/task.ts';
import { imageRecords, type Skipped } from './image-rows.ts';
import { selectReading } from './reading.ts';

/**
 * Streams the labelled rows of a study's source to its data file (`data-file.ts`), exactly as the study's owner sees them.
 * Images and boxes are checked on the way; returns how many rows were left out for it.
 *
 * SET ROLE would be no boundary: a function behind the owner's view could reset it and go on as the service. Inside a
 * security definer function that is refused, so the query runs in one that belongs to the owner. It lives in this
 * transaction alone: nobody else ever sees it, and the rollback takes it away. The connection is closed afterwards by
 * whoever opened it, with whatever settings the owner's code left behind.
 */
export async function readSource(
  connection: Connection,
  { id, task }: { id: number; task: Task },
  destination: Writable,
): Promise<Skipped> {
  try {
    await connection.query('begin isolation level repeatable read');
    const { onBadRow, create, permit, giveAway, call } = await selectReading(connection, id, inputOf(task));
    await connection.query(create);
    if (permit !== null) await connection.query(permit);
    await connection.query(giveAway);
    await connection.query('set transaction read only');
    const skipped: Skipped = { rows: 0, example: null };
    if (inputOf(task) === 'text') await copyLines(connection, call, destination);
    else await pipeline(imageRecords(copyBytes(connection, call), { task, onBadRow, skipped }), destination);
    await connection.query('rollback');
    return skipped;
  } catch (error) {
    throw refusal(error);
  }
}
