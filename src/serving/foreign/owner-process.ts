import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExternalFailure, serverStopping } from '../../errors/errors.ts';
import { reportedError } from '../../errors/reported.ts';
import { endError } from '../../foreign/process-end.ts';
import { ownFile } from '../../runtime/disk/own-file.ts';
import { LimitedProcess } from '../../runtime/limited/limited-process.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { BatchResult } from '../devices/device.ts';
import type { EnsembleFiles } from '../devices/replica.ts';
import type { ThreadOrder } from '../devices/thread-orders.ts';
import {
  answerBounds,
  type ExpectedAnswer,
  noOutput,
  type OwnerAnswer,
  readAnswer,
  sampleOnly,
} from './owner-answers.ts';
import { OwnerFolder } from './owner-folder.ts';

const ownerChild = ownFile(import.meta.url, './owner-child');

/** A graph that takes longer to load would make calls after a restart wait for as long. */
const LOAD_MS = 60_000;
/** What a batch may take, and each of its rows. */
const RUN_MS = 10_000;
const ROW_MS = 2_000;
/** Below the server's own threads, and above training. */
const NICE = 2;
/** A process without orders for this long is ended; the next order starts another. */
const IDLE_MS = 5 * 60_000;
/** After as many deaths without an answer in between, a model's calls are refused for a while: each death costs the owner's other models a restart. */
const MAX_DEATHS = 3;
const REFUSED_MS = 30_000;

export interface OwnerProcessOptions {
  owner: number;
  memoryBytes: number;
  /** Its processes have their folders in it. */
  parentDir: string;
  /** Override of {@link RUN_MS}. */
  runMs?: number;
  /** Override of {@link ownerChild}. */
  entry?: URL;
  /** Calls `start` when the process may be started. */
  admit<T>(process: OwnerProcess, start: () => Promise<T>): Promise<T>;
  logger: Logger;
}

interface StartedProcess {
  process: LimitedProcess;
  /** What it may read. */
  folder: OwnerFolder;
}

/** What an order may take, and be answered with. */
interface OrderBounds {
  limitMs: number;
  expected: ExpectedAnswer;
  /** Those that it reads meanwhile. */
  files?: EnsembleFiles | undefined;
}

interface HostedModel {
  files: EnsembleFiles;
  /** A typical input, if the model has one of its own. */
  sample: string | undefined;
  deaths: number;
  /** No calls before this time. */
  refusedUntilMs: number;
  lastError: unknown;
}

/**
 * The process that runs the imported models of one owner. It is started with the first order, executes one at a time, is killed where one
 * takes too long, and is started again with the next. An order that waits survives the end of the one before it.
 */
export class OwnerProcess {
  readonly #options: OwnerProcessOptions;
  readonly #models = new Map<number, HostedModel>();
  #running: StartedProcess | undefined;
  /** Models that this process has. */
  #loaded = new Set<number>();
  #last: Promise<unknown> = Promise.resolve();
  #isStopped = false;
  #pending = 0;
  #nextId = 1;
  #idle: NodeJS.Timeout | undefined;
  usedMs = 0;

  constructor(options: OwnerProcessOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Whether no order is executed or waits. */
  get isFree(): boolean {
    return this.#pending === 0;
  }

  /** Loads a model; returns its id, and a typical input if it has one of its own. */
  async load(files: EnsembleFiles): Promise<{ id: number; sample: string | undefined }> {
    const id = this.#nextId++;
    const model: HostedModel = { files, sample: undefined, deaths: 0, refusedUntilMs: 0, lastError: undefined };
    this.#models.set(id, model);
    try {
      await this.#inTurn(() => this.#loadNow(id, model));
    } catch (error) {
      this.#models.delete(id);
      throw error;
    }
    return { id, sample: model.sample };
  }

  async unload(id: number): Promise<void> {
    this.#models.delete(id);
    if (this.#models.size === 0) return this.end();
    await this.#inTurn(async () => {
      if (this.#loaded.delete(id)) await this.#order({ kind: 'unload', id }, { limitMs: LOAD_MS, expected: noOutput });
    }).catch(() => undefined);
  }

  /** A run or an explanation of a loaded model, in the time of so many rows. */
  run(
    order: Extract<ThreadOrder, { kind: 'run' | 'explain' }>,
    { rows, expected }: { rows: number; expected: ExpectedAnswer },
  ): Promise<BatchResult> {
    return this.#inTurn(async () => {
      const model = this.#models.get(order.id);
      if (model === undefined) throw new Error(`model ${order.id} is not loaded in the process of its owner`);
      if (performance.now() < model.refusedUntilMs) throw model.lastError;
      if (!this.#loaded.has(order.id)) await this.#loadNow(order.id, model);
      const startedMs = performance.now();
      const { runMs = RUN_MS } = this.#options;
      // what explanations need besides is read with the first of them
      const files = order.kind === 'explain' ? model.files : undefined;
      const bounds = { limitMs: runMs + ROW_MS * rows, expected, files };
      const { outputs } = await this.#blaming(model, this.#order(order, bounds));
      model.deaths = 0;
      return { outputs, ms: performance.now() - startedMs };
    });
  }

  /** Ends the process; orders that come later start another. */
  async end(): Promise<void> {
    clearTimeout(this.#idle);
    const running = this.#running;
    this.#running = undefined;
    this.#loaded = new Set();
    await running?.process.kill();
    await running?.folder.remove();
  }

  /** Ends the process for good, whatever it does; no order is executed any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.end();
    await this.#last;
    await this.end(); // it may just have started
  }

  async #loadNow(id: number, model: HostedModel): Promise<void> {
    const { files } = model;
    const bounds = { limitMs: LOAD_MS, expected: sampleOnly, files };
    const { sample } = await this.#blaming(model, this.#order({ kind: 'load', id, files }, bounds));
    this.#loaded.add(id);
    model.sample = sample;
  }

  /** A process that ends while it works for a model ends because of it. */
  async #blaming<T>(model: HostedModel, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof ExternalFailure) {
        model.lastError = error;
        if (++model.deaths >= MAX_DEATHS) model.refusedUntilMs = performance.now() + REFUSED_MS;
      }
      throw error;
    }
  }

  /** One after another. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#pending++;
    clearTimeout(this.#idle);
    const done = this.#last.then(work).finally(() => {
      this.usedMs = performance.now();
      if (--this.#pending > 0) return;
      this.#idle = setTimeout(() => this.#endIdle(), IDLE_MS);
      this.#idle.unref();
    });
    this.#last = done.catch(() => undefined);
    return done;
  }

  #endIdle(): void {
    const { owner, logger } = this.#options;
    this.end().catch((error: unknown) => logger.warn({ owner, err: String(error) }, 'an idle process was not ended'));
  }

  async #order(order: ThreadOrder, { limitMs, expected, files }: OrderBounds): Promise<OwnerAnswer> {
    if (this.#isStopped) throw serverStopping();
    const { process, folder } = this.#running ?? (await this.#options.admit(this, () => this.#start()));
    if (this.#isStopped) throw serverStopping();
    const limits = {
      limitMs,
      ...answerBounds(expected),
      read: (answer: unknown) => readAnswer(answer, expected),
    };
    const send = (message: ThreadOrder) => process.order(message, limits);
    try {
      const report = await (files === undefined
        ? send(order)
        : folder.with(files, (inside) => send(order.kind === 'load' ? { ...order, files: inside } : order)));
      if ('outputs' in report) return report;
      throw reportedError(report.error);
    } catch (error) {
      throw this.#isStopped ? serverStopping() : endError(error);
    }
  }

  async #start(): Promise<StartedProcess> {
    const { owner, memoryBytes, parentDir, entry = ownerChild, logger } = this.#options;
    const folder = await OwnerFolder.make(parentDir);
    const process: LimitedProcess = await LimitedProcess.start({
      ...{
        entry,
        memoryBytes,
        reads: [path.dirname(fileURLToPath(entry)), folder.dir],
        cwd: folder.emptyDir,
        nice: NICE,
      },
      onEnd: (end) => {
        if (this.#running?.process !== process) return; // ended here
        this.#running = undefined;
        this.#loaded = new Set();
        void folder.remove().catch(() => undefined);
        logger.warn({ owner, end, stderr: process.stderr }, 'the process of imported models has ended');
      },
    });
    this.#loaded = new Set();
    this.#running = { process, folder };
    return this.#running;
  }
}
