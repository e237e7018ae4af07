import { createHash } from 'node:crypto';
import { InvalidState } from '../errors/errors.ts';
import type { ObjectStore } from './s3.ts';

/** The object that names the database that has its weights under the same prefix. */
const MARKER = 'rafiki-database';

/**
 * Whether this database may delete objects: a copy that was restored with the same bucket and prefix has other models, and would delete those
 * of its original. The first database that asks writes its name, and may from the next time on: of two that write at the same time one wins.
 * Throws {@link InvalidState} for any other.
 */
export async function mayDelete(objects: ObjectStore, home: string): Promise<boolean> {
  const found = await objects.get(MARKER);
  if (found === undefined) {
    const bytes = Buffer.from(home);
    await objects.put(MARKER, bytes, createHash('sha256').update(bytes).digest());
    return false;
  }
  if (found.toString() === home) return true;
  throw new InvalidState('nothing is deleted in S3: the prefix of RAFIKI_PARAMS belongs to another database', {
    detail: `Its object ${MARKER} names database ${found.toString().slice(0, 100)}; this one is ${home}, see rafiki._home().`,
    hint:
      `A copy of a database needs a prefix of its own, with copies of the objects. If the other database is no longer used, because this one ` +
      `was upgraded or restored in its place, delete the object ${MARKER}: docs/operating.md, "Backup and restore".`,
  });
}
