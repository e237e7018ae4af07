import { createHash, randomUUID } from 'node:crypto';
import { readdir, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { isFresh } from '../runtime/disk/file-lock.ts';

// A cache folder has for each study: `study-ID-HASH.rows`, the same with `.lock` while a worker reads its source, and with `.UUID.tmp` what that
// worker has written so far.

/** Identifies a study in its data file: ids repeat between databases, creation times do not. */
export interface StudyKey {
  id: number;
  createdAt: string;
}

export function fileName({ id, createdAt }: StudyKey): string {
  const hash = createHash('sha256').update(createdAt).digest('hex').slice(0, 12);
  return `study-${id}-${hash}.rows`;
}

export const lockOf = (file: string): string => `${file}.lock`;
/** Another name for each attempt: that of a killed worker is deleted later. */
export const unfinishedOf = (file: string): string => `${file}.${randomUUID()}.tmp`;

const isRows = (name: string): boolean => /^study-\d+-\w+\.rows$/.test(name);
const idIn = (name: string): number => Number.parseInt(name.slice('study-'.length), 10);

/** All files of studies; none before the folder is created with the first of them. */
export async function studyFiles(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(() => [])).filter((name) => name.startsWith('study-'));
}

/** Ids of the studies whose files are on this machine; some may belong to another database. */
export const cachedStudies = async (dir: string): Promise<number[]> => (await studyFiles(dir)).filter(isRows).map(idIn);

/** Ids of the studies whose sources a worker of this machine is reading. */
export async function beingRead(dir: string): Promise<number[]> {
  const locks = (await studyFiles(dir)).filter((name) => name.endsWith(lockOf('')));
  const fresh = await Promise.all(locks.map((name) => isFresh(path.join(dir, name))));
  return locks.filter((_, i) => fresh[i]).map(idIn);
}

/** Marks a file as recently used. */
export async function markUsed(file: string): Promise<void> {
  const now = new Date();
  await utimes(file, now, now).catch(() => undefined); // another worker may have deleted it just now
}

/** A training process may be about to open a file that was used this recently. */
const IN_USE_MS = 60_000;

/** Deletes the least recently used files of rows, until the others have at most that many bytes. They are read again if they are needed again. */
export async function makeRoom(dir: string, maxBytes: number): Promise<void> {
  const found = await Promise.all((await studyFiles(dir)).filter(isRows).map((name) => usedFile(path.join(dir, name))));
  const files = found.flat().sort((a, b) => a.usedMs - b.usedMs);
  let bytes = files.reduce((sum, { size }) => sum + size, 0);
  for (const { file, size, usedMs } of files) {
    if (bytes <= maxBytes || Date.now() - usedMs < IN_USE_MS) return;
    await rm(file, { force: true });
    bytes -= size;
  }
}

/** Empty if another worker has just deleted it. */
async function usedFile(file: string): Promise<{ file: string; size: number; usedMs: number }[]> {
  const found = await stat(file).catch(() => undefined);
  return found === undefined ? [] : [{ file, size: found.size, usedMs: found.mtimeMs }];
}

/** Deletes what killed workers have left: what is unfinished, and nobody holds the lock of. */
export async function deleteUnfinished(dir: string): Promise<void> {
  for (const name of await studyFiles(dir)) {
    const [, file] = /^(.+\.rows)\.[\w-]+\.tmp$/.exec(name) ?? [];
    if (file !== undefined && !(await isFresh(path.join(dir, lockOf(file)))))
      await rm(path.join(dir, name), { force: true });
  }
}
