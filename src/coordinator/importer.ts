import { mkdir, mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Database } from '../db/database.ts';
import { persist } from '../db/persist.ts';
import { translatePostgresError } from '../db/postgres-error.ts';
import {
  type ClaimedImport,
  claimImport,
  completeImport,
  deleteImportParts,
  failImport,
  hasUncommittedStudy,
  insertImportedMember,
  insertImportedVersion,
  isTrainedByOther,
  releaseImport,
  requeueImports,
  selectImportPart,
  selectUsableEncoder,
} from '../db/statements/imports.ts';
import { lockModel } from '../db/statements/models.ts';
import {
  CorruptParams,
  ExternalFailure,
  InvalidState,
  NameTaken,
  RowLocked,
  UndefinedObject,
} from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { checkInProcess } from '../foreign/check-process.ts';
import type { CheckedImport, ImportedMember, NamedEncoder } from '../foreign/messages.ts';
import { packModel } from '../params/model-codec.ts';
import type { ParamStore } from '../params/param-store.ts';
import { ensurePrivateDir } from '../runtime/disk/private-dir.ts';
import type { Logger } from '../runtime/logger.ts';
import { deployVersion } from './deploy-version.ts';

export interface ImporterOptions {
  database: Database;
  params: ParamStore;
  /** Files are written into a folder in it. */
  cacheDir: string;
  /** Of a process that checks a file. */
  memoryBytes: number;
  /** Called when a check has ended, so that another can start. */
  onTurn(): void;
  logger: Logger;
}

/** Checks at a time, of different roles. */
const MAX_CHECKS = 2;
/** An import whose leader was killed this often may have killed it. */
const MAX_ATTEMPTS = 3;
/** Minimum age before the folder of a killed check is deleted: a check takes minutes. Another database's coordinator may have folders there. */
const ABANDONED_MS = 3600_000;
/** Roles whose last turn is remembered. */
const MAX_TURNS = 1_000;

/** A stored member of a version that is to be. */
interface StoredMember extends ImportedMember {
  paramsId: number;
}

/** Checks imports in the background, each in a process of its own, and makes versions of models of them. */
export class Importer {
  readonly #options: ImporterOptions;
  readonly #dir: string;
  /** By owner. */
  readonly #running = new Map<number, Promise<void>>();
  /** Owners, the one whose last import began longest ago first: a role that has many waits for those with few. */
  #turns: number[] = [];
  readonly #stopping = new AbortController();
  #hasBegun = false;

  constructor(options: ImporterOptions) {
    this.#options = options;
    this.#dir = path.join(options.cacheDir, 'imports');
  }

  /** Starts checks of waiting imports; does not wait for them. */
  async run(): Promise<void> {
    const { database } = this.#options;
    if (!this.#hasBegun) {
      await requeueImports(database, MAX_ATTEMPTS, reportError(interrupted()));
      await deleteImportParts(database);
      await this.#deleteAbandoned();
      this.#hasBegun = true;
    }
    while (this.#running.size < MAX_CHECKS && !this.#stopping.signal.aborted) {
      const claimed = await claimImport(database, { busy: [...this.#running.keys()], turns: this.#turns });
      if (claimed === undefined) return;
      this.#begin(claimed);
    }
  }

  /** Resolves when nothing is running any more. What was being checked is checked again by the next leader. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running.values());
  }

  async #deleteAbandoned(): Promise<void> {
    for (const name of await readdir(this.#dir).catch(() => [])) {
      const folder = path.join(this.#dir, name);
      const changed = await stat(folder).catch(() => undefined);
      if (changed !== undefined && Date.now() - changed.mtimeMs > ABANDONED_MS)
        await rm(folder, { recursive: true, force: true });
    }
  }

  #begin(claimed: ClaimedImport): void {
    const { database, logger, onTurn } = this.#options;
    const { signal } = this.#stopping;
    const { owner } = claimed;
    this.#turns = [...this.#turns.filter((other) => other !== owner), owner].slice(-MAX_TURNS);
    const done = this.#import(claimed)
      .catch(async (error: unknown) => {
        if (signal.aborted) return releaseImport(database, claimed);
        const report = reportError(translatePostgresError(error));
        logger.info({ import: claimed.id, err: report }, 'an import has failed');
        await persist(() => failImport(database, claimed, report), logger, signal);
      })
      .then(() => deleteImportParts(database))
      .catch((error: unknown) => logger.warn({ import: claimed.id, err: String(error) }, 'an import is postponed'))
      .finally(() => {
        this.#running.delete(owner);
        onTurn();
      });
    this.#running.set(owner, done);
  }

  async #import(claimed: ClaimedImport): Promise<void> {
    const { memoryBytes, logger } = this.#options;
    const { task, spec, owner } = claimed;
    const { signal } = this.#stopping;
    await ensurePrivateDir(this.#dir);
    const dir = await mkdtemp(path.join(this.#dir, 'import-'));
    try {
      const file = path.join(dir, 'model.onnx');
      await this.#write(claimed, file);
      const emptyDir = path.join(dir, 'empty');
      await mkdir(emptyDir, { mode: 0o700 });
      const found = await checkInProcess({ file, emptyDir, task, spec, memoryBytes, signal });
      const members = await persist(() => this.#store(found.members, owner), logger, signal);
      await persist(() => this.#conclude(claimed, found, members), logger, signal);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  async #write({ id, bytes }: ClaimedImport, file: string): Promise<void> {
    const handle = await open(file, 'wx', 0o600);
    let written = 0;
    try {
      for (let number = 0; written < bytes; number++) {
        const part = await selectImportPart(this.#options.database, id, number);
        if (part === undefined) throw lostParts();
        await handle.writeFile(part); // behind the last one
        written += part.length;
      }
    } finally {
      await handle.close();
    }
  }

  async #store(members: readonly ImportedMember[], owner: number): Promise<StoredMember[]> {
    const { params } = this.#options;
    const stored: StoredMember[] = [];
    for (const member of members) {
      const { model, encoder } = member;
      const standsOn = encoder === undefined ? null : await this.#encoderOf(encoder, owner);
      const features =
        standsOn === null
          ? model.features
          : { ...model.features, pretrained: { name: encoder?.name ?? '', paramsId: standsOn } };
      const paramsId = await params.save('model', packModel({ ...model, features }), { standsOn });
      stored.push({ ...member, paramsId });
    }
    return stored;
  }

  /** The same encoder here, if the owner may use it: its weights are its administrator's, and no part of an export. */
  async #encoderOf(encoder: NamedEncoder, owner: number): Promise<number> {
    const { hash } = encoder;
    const paramsId = await selectUsableEncoder(this.#options.database, { hash, role: owner });
    if (paramsId === undefined) throw noEncoder(encoder);
    return paramsId;
  }

  /** Writes the version, in one transaction with the end of the import. */
  async #conclude(claimed: ClaimedImport, found: CheckedImport, members: readonly StoredMember[]): Promise<void> {
    const { database, logger } = this.#options;
    const { model: name, owner, task, deploy } = claimed;
    await database.transaction(async (on) => {
      const model = await lockModel(on, { name, owner, task });
      if (await hasUncommittedStudy(on, name)) throw beingTaken(name);
      if (!model.own || (await isTrainedByOther(on, { name, role: owner }))) throw nameTaken(name);
      if (model.task !== task) throw otherTask(name, model.task);
      const { id, version } = await insertImportedVersion(on, { ...found, modelId: model.id, task });
      for (const [rank, member] of members.entries()) await insertImportedMember(on, id, { ...member, rank });
      if (deploy) await deployVersion({ on, logger }, { modelId: model.id, versionId: id });
      if (!(await completeImport(on, claimed, version)))
        throw new InvalidState(`import ${claimed.id} is no longer in hand`);
    });
  }
}

const interrupted = (): ExternalFailure =>
  new ExternalFailure('the process that checks imports was ended several times meanwhile', {
    hint: 'Import the file again; the log of the coordinator has details.',
  });

const lostParts = (): CorruptParams =>
  new CorruptParams('the file of the import is no longer stored as a whole', { hint: 'Import it again.' });

const noEncoder = ({ name }: NamedEncoder): UndefinedObject =>
  new UndefinedObject(`the model stands on the encoder "${name ?? 'that was removed'}", which is not here`, {
    detail:
      'An export does not have the weights of encoders, and there is none of the same content that the owner of the import may use.',
    hint: 'An administrator adds it as it was added where the model comes from: rafiki encoder add NAME …; then import the file again.',
  });

const nameTaken = (model: string): NameTaken =>
  new NameTaken(`the model name "${model}" was taken while the file was checked`, {
    hint: 'Import it under another name.',
  });

/** Tried again for a while: if the transaction is committed, the name is its role's. */
const beingTaken = (model: string): RowLocked =>
  new RowLocked(`model "${model}" is being trained already`, {
    detail: 'By a transaction that has not been committed yet.',
    hint: 'Import the file again when it has ended.',
  });

const otherTask = (model: string, task: string): InvalidState =>
  new InvalidState(`model "${model}" is one for ${task}`, { hint: 'Import the file under another name.' });
