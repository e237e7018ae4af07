import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import {
  canBegin,
  type JoinedRound,
  type Lead,
  type Offer,
  type Round,
  type SentChange,
  type SentSums,
  type ShareSums,
  type Transport,
  type WaitingWorker,
  type WantedChanges,
  type WeightChange,
} from '../../domain/joint-training.ts';
import { reportError } from '../../errors/rafiki-error.ts';
import { systemClock } from '../../runtime/clock.ts';
import { diskError } from '../../runtime/disk/disk-error.ts';
import type { Logger } from '../../runtime/logger.ts';
import { type OfferHead, vectorOf, weightsOf } from './offer-file.ts';
import { type Pause, pauseBetweenRounds } from './pause.ts';
import { type RoundFile, readRoundFile, readRoundHead, updateRoundFile, writeRoundFile } from './round-file.ts';

// The way between the workers of one machine: a folder in which each of them has one file, which it alone writes.

/** Head of another worker's file. After a round its vectors are the change and the uses, or sums. */
interface WorkerHead {
  has: number | null;
  after: number;
  change: { number: number; rows: number; seconds: number } | null;
}

/** Files of which the log is told; there may be any number. */
const MAX_TOLD = 100;

const OFFER = 'round';
const offerFile = (folder: string): string => path.join(folder, OFFER);
const workerFile = (folder: string, processId: number): string => path.join(folder, `worker-${processId}`);

/** What a worker that has left leaves no more: nobody waits for it. */
export function removeWorkerFile(folder: string, processId: number): void {
  const file = workerFile(folder, processId);
  for (const each of [file, `${file}.tmp`]) rmSync(each, { force: true });
}

/** If its folder cannot be used, for example because the disk is full, the trial goes on without these workers. */
export class FolderTransport implements Transport {
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #pause: Pause;
  /** Workers whose files cannot be read, of which the log has been told. */
  readonly #ignored = new Set<number>();
  /** The last sums of each worker, whose memory is used again. */
  readonly #spare = new Map<number, Float64Array>();
  #chosen = 0;

  constructor(folder: string, logger: Logger, pause: Pause = pauseBetweenRounds) {
    this.#folder = folder;
    this.#logger = logger;
    this.#pause = pause;
  }

  async waiting(): Promise<readonly WaitingWorker[]> {
    return this.#names().flatMap((name) => {
      const processId = Number(/^worker-([1-9]\d*)$/.exec(name)?.[1]);
      const found = Number.isNaN(processId) ? undefined : this.#head(processId);
      return found === undefined ? [] : [{ processId, has: found.has, after: found.after }];
    });
  }

  async offer({ round, processIds, weights }: Offer): Promise<void> {
    const { kind } = weights;
    if (kind !== 'sums') this.#chosen = round.number;
    try {
      const write = kind === 'sums' ? updateRoundFile<OfferHead> : writeRoundFile<OfferHead>;
      write(offerFile(this.#folder), {
        head: { round, processIds, kind, chosen: this.#chosen },
        vectors: [vectorOf(weights)],
      });
    } catch (error) {
      this.#warn(error);
    }
  }

  async collect(
    { number, processIds, waitMs }: WantedChanges,
    isOver: () => boolean = () => false,
  ): Promise<readonly (SentChange | SentSums)[]> {
    const startedMs = systemClock.nowMs();
    const isMissing = (processId: number): boolean => {
      const head = this.#head(processId);
      if (head === undefined) return existsSync(workerFile(this.#folder, processId)); // one without a file has left
      return head.change?.number !== number;
    };
    let missing = processIds.filter(isMissing);
    for (;;) {
      const waitedMs = systemClock.nowMs() - startedMs;
      if (missing.length === 0 || waitedMs >= waitMs || isOver()) break;
      await this.#pause(waitedMs);
      missing = missing.filter(isMissing);
    }
    return processIds.flatMap((processId) => this.#change(processId, number) ?? []);
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch (error) {
      this.#warn(error);
      return [];
    }
  }

  #warn(error: unknown): void {
    const err = reportError(diskError(error, this.#folder));
    this.#logger.warn({ err }, 'other workers of this machine cannot take part in a round');
  }

  /** A worker whose file is damaged, or not its own, is ignored: the trial is none the worse for it. */
  #read<Result>(processId: number, read: (file: string) => Result): Result | undefined {
    try {
      return read(workerFile(this.#folder, processId));
    } catch (error) {
      const isTold = this.#ignored.has(processId) || this.#ignored.size === MAX_TOLD;
      if (!isTold) this.#logger.warn({ err: reportError(error) }, 'a worker of this machine is ignored');
      if (!isTold) this.#ignored.add(processId);
      return undefined;
    }
  }

  #head(processId: number): WorkerHead | undefined {
    return this.#read(processId, readRoundHead<WorkerHead>) ?? undefined;
  }

  #change(processId: number, number: number): SentChange | SentSums | undefined {
    const spare = this.#spare.get(processId);
    const found = this.#read(processId, (file) => readRoundFile<WorkerHead>(file, { spare: spare ? [spare] : [] }));
    const [first, uses] = found?.vectors ?? [];
    const change = found?.head.change;
    if (change?.number !== number) return undefined;
    const { rows, seconds } = change;
    if (first instanceof Float64Array) {
      this.#spare.set(processId, first);
      return { processId, sums: first, rows, seconds };
    }
    if (!(first instanceof Uint16Array && uses instanceof Uint16Array)) return undefined;
    return { processId, halves: first, uses, rows, seconds };
  }
}

export interface FolderLeadOptions {
  folder: string;
  /** Of the worker that owns this process. */
  processId: number;
  /** Called after each round; of a forest, after each round of trees. */
  onTrained(round: number, rowsPerSecond: number): Promise<void>;
  pause?: Pause;
}

export class FolderLead implements Lead {
  readonly #options: FolderLeadOptions;
  #waits: Pick<WorkerHead, 'has' | 'after'> = { has: null, after: 0 };
  #isKnown = false;
  /** The newest offer that has been looked at. */
  #seen = 0;
  /** Where the forest was when its sums were told last. */
  #told: Pick<Round, 'epoch' | 'step'> | undefined;

  constructor(options: FolderLeadOptions) {
    this.#options = options;
  }

  async next(): Promise<JoinedRound | null> {
    const { folder, pause = pauseBetweenRounds } = this.#options;
    const startedMs = systemClock.nowMs();
    if (!this.#isKnown) this.#write();
    while (existsSync(folder)) {
      const head = readRoundHead<OfferHead>(offerFile(folder));
      const begun = head !== undefined && head.round.number > this.#seen ? this.#begin(head) : undefined;
      if (begun !== undefined) return begun;
      await pause(systemClock.nowMs() - startedMs);
    }
    return null;
  }

  /** Undefined if this worker has no seat in what is offered, or the file is just being written. */
  #begin({ round, processIds, kind, chosen }: OfferHead): JoinedRound | undefined {
    const { folder, processId } = this.#options;
    const seat = processIds.indexOf(processId) + 1;
    if (seat > 0 && canBegin(this.#waits, round, { kind })) {
      const found = readRoundFile<OfferHead>(offerFile(folder));
      if (found?.head.round.number !== round.number) return undefined; // the next look finds the next one
      this.#waits = { has: round.number, after: round.number };
      this.#seen = round.number;
      return { round, seat, weights: weightsOf(found) };
    }
    this.#seen = round.number;
    if (seat === 0 && this.#waits.after >= chosen) return undefined; // nothing was offered since it said that it waits
    this.#waits.after = round.number; // it has missed one that it was offered, or there were too many workers
    this.#write();
    return undefined;
  }

  async send({ number, epoch, step }: Round, sent: WeightChange | ShareSums): Promise<void> {
    const { rows, seconds } = sent;
    const vectors = 'sums' in sent ? [sent.sums] : [sent.halves, sent.uses];
    this.#write({ head: { ...this.#waits, change: { number, rows, seconds } }, vectors });
    if ('sums' in sent && this.#told?.epoch === epoch && this.#told.step === step) return; // a tree has dozens
    this.#told = { epoch, step };
    await this.#options.onTrained(number, rows / seconds);
  }

  #write(content: RoundFile<WorkerHead> = { head: { ...this.#waits, change: null }, vectors: [] }): void {
    const { folder, processId } = this.#options;
    this.#isKnown = true;
    const write = content.vectors.some((vector) => vector instanceof Float64Array) ? updateRoundFile : writeRoundFile;
    try {
      write(workerFile(folder, processId), content);
    } catch (error) {
      if (existsSync(folder)) throw diskError(error, folder); // without its folder, the trial has ended
    }
  }
}
