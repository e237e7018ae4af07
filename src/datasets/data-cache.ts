import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { access, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Connection, Database } from '../db/database.ts';
import { lockDataFile, selectOpenStudyKeys } from '../db/statements/data-files.ts';
import { setSkipped } from '../db/statements/studies.ts';
import type { Task } from '../domain/task.ts';
import { Cancelled } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { ReaderLogin } from './reader-login.ts';
import { selectReading } from './reading.ts';
import { readSource } from './source.ts';

/** A study as its data file knows it: ids repeat between databases, the moment of creation does not. */
export interface StudyKey {
  id: number;
  createdAt: string;
}

/** A study whose rows are wanted. */
export interface StudySource extends StudyKey {
  task: Task;
}

export interface DataCacheOptions {
  database: Database;
  dir: string;
  logger: Logger;
}

/** Files of other databases, or of workers that died, are left alone for so long. */
const ABANDONED_MS = 24 * 3600_000;

/** The rows of each open study in one file, read once per machine and shared by its workers. */
export class DataCache {
  readonly #database: Database;
  readonly #reader: ReaderLogin;
  readonly #dir: string;
  readonly #logger: Logger;
  readonly #used = new Set<string>();

  constructor({ database, dir, logger }: DataCacheOptions) {
    this.#database = database;
    this.#reader = new ReaderLogin(database.url, logger);
    this.#dir = dir;
    this.#logger = logger;
  }

  /** The path of the study's file, read from its source where no worker of this machine has done so yet. */
  async file(study: StudySource, signal: AbortSignal): Promise<string> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const file = path.join(this.#dir, fileName(study));
    this.#used.add(path.basename(file));
    if (await exists(file)) return file;
    const connection = await this.#database.connect(() => undefined); // its loss makes the statement under way fail
    const abort = (): void => void connection.close();
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      await lockDataFile(connection, `${hostname()}:${file}`);
      if (await exists(file)) return file;
      await this.#read(study, file, signal);
      return file;
    } catch (error) {
      if (signal.aborted) throw new Cancelled('reading the data was cancelled', { cause: error });
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      if (!signal.aborted) await connection.close();
    }
  }

  /** Ids of the studies whose files this machine has; those of another database may be among them. */
  async held(): Promise<number[]> {
    const names = await readdir(this.#dir).catch(() => []); // there is no folder before the first file
    return names.flatMap((name) => /^study-(\d+)-\w+\.rows$/.exec(name)?.[1] ?? []).map(Number);
  }

  /** Under another name until it is complete: a file that is there is whole. */
  async #read(study: StudySource, file: string, signal: AbortSignal): Promise<void> {
    const reading = await selectReading(this.#database, study.id);
    const connection = await this.#reader.connect();
    const end = (): void => void this.#end(connection);
    signal.addEventListener('abort', end, { once: true });
    const unfinished = `${file}.${process.pid}.tmp`;
    const destination = createWriteStream(unfinished, { mode: 0o600 });
    try {
      signal.throwIfAborted();
      const skipped = await readSource(connection, reading, { task: study.task, destination });
      if (skipped.rows > 0) await setSkipped(this.#database, study.id, skipped);
      await rename(unfinished, file);
    } finally {
      signal.removeEventListener('abort', end);
      await connection.close();
      destination.destroy();
      await rm(unfinished, { force: true });
    }
  }

  async #end(connection: Connection): Promise<void> {
    await this.#reader.end(connection).catch((error: unknown) => {
      this.#logger.warn({ err: String(error) }, 'a cancelled read could not be ended in its backend');
    });
  }

  /** Deletes the files of studies that ended, and those that nobody has touched for a day. */
  async sweep(): Promise<void> {
    const names = await readdir(this.#dir).catch(() => []);
    const files = names.filter((name) => name.startsWith('study-'));
    if (files.length === 0) return;
    const openFiles = new Set((await selectOpenStudyKeys(this.#database)).map(fileName));
    for (const name of files) {
      if (openFiles.has(name)) continue;
      const file = path.join(this.#dir, name);
      if (this.#used.has(name) || (await isAbandoned(file))) await rm(file, { force: true });
      this.#used.delete(name);
    }
  }
}

function fileName({ id, createdAt }: StudyKey): string {
  const mark = createHash('sha256').update(createdAt).digest('hex').slice(0, 12);
  return `study-${id}-${mark}.rows`;
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

async function isAbandoned(file: string): Promise<boolean> {
  const modified = await stat(file).catch(() => undefined); // another worker may have deleted it just now
  return modified !== undefined && Date.now() - modified.mtimeMs > ABANDONED_MS;
}
