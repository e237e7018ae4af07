import { lstat, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Database } from '../db/database.ts';
import { ReaderLogin, type ReaderSession } from '../db/reader-login.ts';
import {
  type Admission,
  admitReader,
  endReading,
  selectOpenStudyKeys,
  selectReading,
} from '../db/statements/readings.ts';
import { setReaderNotice, setSkipped } from '../db/statements/studies.ts';
import type { Task } from '../domain/task.ts';
import { Cancelled, type ReadTooLong, WorkerNeeded } from '../errors/errors.ts';
import { CACHE_LIMIT_BYTES } from '../runtime/disk/cache-dir.ts';
import { diskError } from '../runtime/disk/disk-error.ts';
import { withFileLock } from '../runtime/disk/file-lock.ts';
import { ensurePrivateDir } from '../runtime/disk/private-dir.ts';
import type { Logger } from '../runtime/logger.ts';
import { isDataFileIntact } from './data-file.ts';
import { byteLimit, DATA_LIMIT_BYTES, DataFileWriter } from './data-file-writer.ts';
import {
  beingRead,
  cachedStudies,
  deleteUnfinished,
  fileName,
  lockOf,
  makeRoom,
  markUsed,
  type StudyKey,
  studyFiles,
  unfinishedOf,
} from './data-folder.ts';
import { checkEvery, READ_TIMES, type ReadTimes, reasonToEndRead } from './read-times.ts';
import { readSource } from './source.ts';

/** A study whose rows are to be read. */
export interface StudySource extends StudyKey {
  task: Task;
}

export interface DataCacheOptions {
  database: Database;
  dir: string;
  logger: Logger;
  /** Connection of the reader login; derived from the service's if absent. */
  readerUrl?: string | undefined;
  /** Maximum size of a study's rows. */
  limitBytes?: number | undefined;
  /** Maximum of all files that have been read; the least recently used are deleted. */
  cacheLimitBytes?: number | undefined;
  /** Overrides of {@link READ_TIMES}. */
  times?: Partial<ReadTimes> | undefined;
}

/** A request for a study's file. */
export interface FileRequest {
  signal: AbortSignal;
  /** Whether a role without running trials needs this worker; absent: never. */
  isWorkerNeeded?: () => Promise<boolean>;
}

/** Maximum of a row, an error or a notice. `pg` buffers it completely, and a string of 512 MB ends the process. */
const MESSAGE_BYTES = 128 * 2 ** 20;
/** Later than a worker ends a read (`read-times.ts`): for one that was killed. Code behind a source can catch it. */
const STATEMENT_TIMEOUT = '7h';
/** Minimum age before files of other databases, or of dead workers, are deleted. */
const ABANDONED_MS = 24 * 3600_000;

/** The rows of each open study in one file, read once per machine and shared by its workers. */
export class DataCache {
  readonly #database: Database;
  readonly #reader: ReaderLogin;
  readonly #dir: string;
  readonly #logger: Logger;
  readonly #limitBytes: number;
  readonly #cacheLimitBytes: number;
  readonly #times: ReadTimes;
  readonly #used = new Set<string>();
  /** Files whose hash this process has verified. */
  readonly #intact = new Set<string>();

  constructor(options: DataCacheOptions) {
    const { database, dir, logger, readerUrl, limitBytes = DATA_LIMIT_BYTES, times = {} } = options;
    const { cacheLimitBytes = CACHE_LIMIT_BYTES } = options;
    this.#database = database;
    this.#reader = new ReaderLogin({ serviceUrl: database.url, readerUrl, logger });
    this.#dir = dir;
    this.#logger = logger;
    this.#limitBytes = limitBytes;
    this.#cacheLimitBytes = cacheLimitBytes;
    this.#times = { ...READ_TIMES, ...times };
  }

  /**
   * The path of the study's file; reads the source if no worker of this machine has done so. Throws {@link ReadTooLong}
   * if that takes too long, {@link WorkerNeeded} if another worker is reading it and this one is needed elsewhere.
   */
  async file(study: StudySource, { signal, isWorkerNeeded = never }: FileRequest): Promise<string> {
    await ensurePrivateDir(this.#dir);
    const file = path.join(this.#dir, fileName(study));
    this.#used.add(path.basename(file));
    if (await this.#isUsable(file)) return file;
    const yieldController = new AbortController();
    const stopChecking = checkEvery(this.#times.checkIntervalMs, async () => {
      if (await isWorkerNeeded()) yieldController.abort(workerNeeded(study));
    });
    const waiting = AbortSignal.any([signal, yieldController.signal]);
    const read = (): Promise<string> => {
      stopChecking();
      return this.#fetch(file, study, { signal, isWorkerNeeded });
    };
    try {
      return await withFileLock(lockOf(file), waiting, read, { waitMs: this.#times.maxMs }); // as long as another worker may read
    } catch (error) {
      if (signal.aborted) throw new Cancelled('reading the data was cancelled', { cause: error });
      yieldController.signal.throwIfAborted();
      throw diskError(error, this.#dir);
    } finally {
      stopChecking();
    }
  }

  async #fetch(file: string, study: StudySource, request: Required<FileRequest>): Promise<string> {
    if (!(await this.#isUsable(file))) await this.#read(file, study, request);
    return file;
  }

  /** Whether the file exists and is intact; deletes a damaged or foreign one. */
  async #isUsable(file: string): Promise<boolean> {
    const found = await lstat(file).catch(() => undefined);
    if (found === undefined) return false;
    const isOwnFile = found.isFile() && found.uid === (process.getuid?.() ?? found.uid);
    if (isOwnFile && (this.#intact.has(file) || (await isDataFileIntact(file)))) {
      this.#intact.add(file);
      await markUsed(file);
      return true;
    }
    await rm(file, { force: true, recursive: true });
    return false;
  }

  cachedStudies(): Promise<number[]> {
    return cachedStudies(this.#dir);
  }

  beingRead(): Promise<number[]> {
    return beingRead(this.#dir);
  }

  /** Written under a temporary name first, so that a file is always complete. */
  async #read(file: string, study: StudySource, { signal, isWorkerNeeded }: Required<FileRequest>): Promise<void> {
    await this.#makeRoom();
    const reading = await selectReading(this.#database, study.id);
    const session = await this.#reader.connect({ statementTimeout: STATEMENT_TIMEOUT, maxBytes: MESSAGE_BYTES });
    const end = (): void => void this.#end(session);
    signal.addEventListener('abort', end, { once: true });
    const unfinished = unfinishedOf(file);
    const destination = new DataFileWriter(unfinished);
    const count = byteLimit(this.#limitBytes);
    let tooLong: ReadTooLong | undefined;
    let admission: Admission | undefined;
    const stopChecking = checkEvery(this.#times.checkIntervalMs, async (elapsedMs) => {
      tooLong ??= await reasonToEndRead(elapsedMs, this.#times, isWorkerNeeded);
      if (tooLong !== undefined) await this.#end(session); // again, if the previous attempt failed
    });
    try {
      signal.throwIfAborted();
      await setReaderNotice(this.#database, study.id, false);
      admission = await admitReader(this.#database, session.pid, { of: 'study', id: study.id });
      const skipped = await readSource(session.connection, reading, { task: study.task, count, destination });
      if (skipped.rows > 0) await setSkipped(this.#database, study.id, skipped);
      await rename(unfinished, file);
      this.#intact.add(file);
    } catch (error) {
      throw tooLong ?? error;
    } finally {
      stopChecking();
      signal.removeEventListener('abort', end);
      if (admission !== undefined) await endReading(this.#database, admission).catch(() => undefined); // the next session with this pid registers again
      await session.connection.close();
      destination.destroy();
      if (!destination.closed) await new Promise((resolve) => destination.once('close', resolve)); // it may still be opening
      await rm(unfinished, { force: true });
    }
  }

  async #end(session: ReaderSession): Promise<void> {
    await this.#reader.end(session).catch((error: unknown) => {
      this.#logger.warn({ err: String(error) }, 'a cancelled read could not be ended in its backend');
    });
  }

  async #makeRoom(): Promise<void> {
    await deleteUnfinished(this.#dir);
    await makeRoom(this.#dir, this.#cacheLimitBytes);
  }

  /** Deletes the files of ended studies, those of other databases that were not used for a day, and what is above the limit. */
  async sweep(): Promise<void> {
    const files = await studyFiles(this.#dir);
    if (files.length === 0) return;
    await this.#makeRoom();
    const openFiles = new Set((await selectOpenStudyKeys(this.#database)).map(fileName));
    for (const name of files) {
      if (openFiles.has(name)) continue;
      const file = path.join(this.#dir, name);
      if (this.#used.has(name) || (await isAbandoned(file))) await rm(file, { force: true });
      this.#used.delete(name);
      this.#intact.delete(file);
    }
  }
}

const never = async (): Promise<boolean> => false;

const workerNeeded = ({ id }: StudyKey): WorkerNeeded =>
  new WorkerNeeded(
    `another worker reads the source of study ${id}, and a role without running trials waits for a worker`,
    {
      hint: 'Wait until the other worker has read it.',
    },
  );

async function isAbandoned(file: string): Promise<boolean> {
  const modified = await stat(file).catch(() => undefined); // another worker may have deleted it just now
  return modified !== undefined && Date.now() - modified.mtimeMs > ABANDONED_MS;
}
