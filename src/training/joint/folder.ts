import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import {
  canBegin,
  type JoinedRound,
  type Lead,
  type Offer,
  type Round,
  type RoundWeights,
  type SentChange,
  type SentSums,
  type ShareSums,
  type SumsOffer,
  type Transport,
  type WaitingWorker,
  type WantedChanges,
  type WeightChange,
} from '../../domain/joint-training.ts';
import { reportError } from '../../errors/rafiki-error.ts';
import { systemClock } from '../../runtime/clock.ts';
import { diskError } from '../../runtime/disk/disk-error.ts';
import type { Logger } from '../../runtime/logger.ts';
import { type Pause, pauseBetweenRounds } from './pause.ts';
import { type RoundFile, readRoundFile, readRoundHead, updateRoundFile, writeRoundFile } from './round-file.ts';

// The way between the workers of one machine: a folder in which each of them has one file, which it alone writes.

/**
 * Head of the leading worker's file; its vector has the weights, all in single precision or their change in half, or the trees or sums of a
 * forest in double.
 */
interface OfferHead extends Omit<Offer, 'weights'> {
  kind: (RoundWeights | SumsOffer)['kind'];
}

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

/** If its folder cannot be used, for example because the disk is full, the trial goes on without these workers. */
export class FolderTransport implements Transport {
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #pause: Pause;
  /** Workers whose files cannot be read, of which the log has been told. */
  readonly #ignored = new Set<number>();
  /** The last sums of each worker, whose memory is used again. */
  readonly #spare = new Map<number, Float64Array>();

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
    try {
      const write = kind === 'sums' ? updateRoundFile<OfferHead> : writeRoundFile<OfferHead>;
      write(offerFile(this.#folder), { head: { round, processIds, kind }, vectors: [vectorOf(weights)] });
    } catch (error) {
      this.#warn(error);
    }
  }

  async collect(
    { number, processIds, waitMs }: WantedChanges,
    isOver: () => boolean = () => false,
  ): Promise<readonly (SentChange | SentSums)[]> {
    const startedMs = systemClock.nowMs();
    const isMissing = (processId: number): boolean => this.#head(processId)?.change?.number !== number;
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
    const found = this.#read(processId, (file) => readRoundFile<WorkerHead>(file, spare ? [spare] : []));
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
  /** Called after each round. */
  onTrained(round: number, rowsPerSecond: number): Promise<void>;
  pause?: Pause;
}

export class FolderLead implements Lead {
  readonly #options: FolderLeadOptions;
  #waits: Pick<WorkerHead, 'has' | 'after'> = { has: null, after: 0 };
  #isKnown = false;

  constructor(options: FolderLeadOptions) {
    this.#options = options;
  }

  async next(): Promise<JoinedRound | null> {
    const { folder, processId, pause = pauseBetweenRounds } = this.#options;
    const startedMs = systemClock.nowMs();
    if (!this.#isKnown) this.#write();
    while (existsSync(folder)) {
      const newest = readRoundHead<OfferHead>(offerFile(folder))?.round.number ?? 0;
      const found = newest > this.#waits.after ? readRoundFile<OfferHead>(offerFile(folder)) : undefined;
      if (found !== undefined) {
        const { round, processIds } = found.head;
        const seat = processIds.indexOf(processId) + 1;
        const weights = weightsOf(found);
        if (seat > 0 && canBegin(this.#waits, round, weights)) {
          this.#waits = { has: round.number, after: round.number };
          return { round, seat, weights };
        }
        this.#waits.after = round.number; // it has missed one that it was offered, or there were too many workers
        this.#write();
      }
      await pause(systemClock.nowMs() - startedMs);
    }
    return null;
  }

  async send({ number }: Round, sent: WeightChange | ShareSums): Promise<void> {
    const { rows, seconds } = sent;
    const vectors = 'sums' in sent ? [sent.sums] : [sent.halves, sent.uses];
    this.#write({ head: { ...this.#waits, change: { number, rows, seconds } }, vectors });
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

function vectorOf(weights: RoundWeights | SumsOffer): Float64Array | Float32Array | Uint16Array {
  switch (weights.kind) {
    case 'all':
      return weights.values;
    case 'change':
      return weights.halves;
    case 'trees':
      return weights.trees;
    case 'sums':
      return weights.sums;
  }
}

function weightsOf({ head: { kind }, vectors: [vector] }: RoundFile<OfferHead>): RoundWeights | SumsOffer {
  if (vector instanceof Float64Array)
    return kind === 'trees' ? { kind, trees: vector } : { kind: 'sums', sums: vector };
  if (vector instanceof Float32Array) return { kind: 'all', values: vector };
  return { kind: 'change', halves: vector ?? new Uint16Array(0) };
}
