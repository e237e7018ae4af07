import { mkdtemp, open, rm } from 'node:fs/promises';
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
  insertImportedMember,
  insertImportedVersion,
  requeueImports,
  selectImportPart,
} from '../db/statements/imports.ts';
import { insertDeployment, lockModel, selectLoading } from '../db/statements/models.ts';
import { transitionDeployment } from '../db/statements/transitions.ts';
import { CorruptParams, ExternalFailure, InvalidState, NameTaken } from '../errors/errors.ts';
import { reportError } from '../errors/rafiki-error.ts';
import { checkInProcess } from '../foreign/check-process.ts';
import type { CheckedImport, ImportedMember } from '../foreign/messages.ts';
import { packModel } from '../params/model-codec.ts';
import type { ParamStore } from '../params/param-store.ts';
import { ensurePrivateDir } from '../runtime/disk/private-dir.ts';
import type { Logger } from '../runtime/logger.ts';

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

/** A stored member of a version that is to be. */
interface StoredMember extends ImportedMember {
  paramsId: number;
}

/** Checks imports in the background, each in a process of its own, and makes versions of models of them. */
export class Importer {
  readonly #options: ImporterOptions;
  /** By owner. */
  readonly #running = new Map<number, Promise<void>>();
  readonly #stopping = new AbortController();
  #hasBegun = false;

  constructor(options: ImporterOptions) {
    this.#options = options;
  }

  /** Starts checks of waiting imports; does not wait for them. */
  async run(): Promise<void> {
    const { database } = this.#options;
    if (!this.#hasBegun) {
      await requeueImports(database, MAX_ATTEMPTS, reportError(interrupted()));
      await deleteImportParts(database);
      this.#hasBegun = true;
    }
    while (this.#running.size < MAX_CHECKS && !this.#stopping.signal.aborted) {
      const claimed = await claimImport(database, [...this.#running.keys()]);
      if (claimed === undefined) return;
      this.#begin(claimed);
    }
  }

  /** Resolves when nothing is running any more. What was being checked is checked again by the next leader. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running.values());
  }

  #begin(claimed: ClaimedImport): void {
    const { database, logger, onTurn } = this.#options;
    const { signal } = this.#stopping;
    const done = this.#import(claimed)
      .catch(async (error: unknown) => {
        if (signal.aborted) return;
        const report = reportError(translatePostgresError(error));
        logger.info({ import: claimed.id, err: report }, 'an import has failed');
        await persist(() => failImport(database, claimed, report), logger, signal);
      })
      .then(() => deleteImportParts(database))
      .catch((error: unknown) => logger.warn({ import: claimed.id, err: String(error) }, 'an import is postponed'))
      .finally(() => {
        this.#running.delete(claimed.owner);
        onTurn();
      });
    this.#running.set(claimed.owner, done);
  }

  async #import(claimed: ClaimedImport): Promise<void> {
    const { cacheDir, memoryBytes, logger } = this.#options;
    const { task, spec } = claimed;
    const { signal } = this.#stopping;
    const parent = path.join(cacheDir, 'imports');
    await ensurePrivateDir(parent);
    const dir = await mkdtemp(path.join(parent, 'import-'));
    try {
      const file = path.join(dir, 'model.onnx');
      await this.#write(claimed, file);
      const found = await checkInProcess({ file, task, spec, memoryBytes, signal });
      const members = await persist(() => this.#store(found.members), logger, signal);
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
        await handle.write(part);
        written += part.length;
      }
    } finally {
      await handle.close();
    }
  }

  async #store(members: readonly ImportedMember[]): Promise<StoredMember[]> {
    const { params } = this.#options;
    const stored: StoredMember[] = [];
    for (const member of members) {
      const { model, encoder } = member;
      const standsOn = encoder === undefined ? null : await params.save('model', packModel(encoder));
      const { pretrained } = model.features;
      const features =
        standsOn === null || pretrained === undefined
          ? model.features
          : { ...model.features, pretrained: { ...pretrained, paramsId: standsOn } };
      const paramsId = await params.save('model', packModel({ ...model, features }), { standsOn });
      stored.push({ ...member, paramsId });
    }
    return stored;
  }

  /** Writes the version, in one transaction with the end of the import. */
  async #conclude(claimed: ClaimedImport, found: CheckedImport, members: readonly StoredMember[]): Promise<void> {
    const { database, logger } = this.#options;
    const { model: name, owner, task, deploy } = claimed;
    await database.transaction(async (on) => {
      const model = await lockModel(on, { name, owner, task });
      if (!model.own) throw nameTaken(name);
      if (model.task !== task) throw otherTask(name, model.task);
      const { id, version } = await insertImportedVersion(on, { ...found, modelId: model.id, task });
      for (const [rank, member] of members.entries()) await insertImportedMember(on, id, { ...member, rank });
      if (deploy) {
        for (const { id: loading } of await selectLoading(on, model.id))
          await transitionDeployment({ on, logger }, { id: loading, from: 'loading', event: 'retire' });
        await insertDeployment(on, { modelId: model.id, versionId: id });
      }
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

const nameTaken = (model: string): NameTaken =>
  new NameTaken(`the model name "${model}" was taken while the file was checked`, {
    hint: 'Import it under another name.',
  });

const otherTask = (model: string, task: string): InvalidState =>
  new InvalidState(`model "${model}" is one for ${task}`, { hint: 'Import the file under another name.' });
