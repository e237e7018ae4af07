import type {
  ChangeForm,
  Offer,
  Round,
  RoundPace,
  RoundWeights,
  SentChange,
  SentSums,
  ShareSums,
  SumsForm,
  SumsOffer,
  SumTeam,
  Team,
  Transport,
  WaitingWorker,
  WantedChanges,
  WeightChange,
} from '../../domain/joint-training.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { canWait, faultOf, faultOfSums } from './believed.ts';

/** The other workers may take this fraction of the own training time longer, and at least so long. */
const MAX_EXTRA_FRACTION = 0.5;
const MIN_EXTRA_MS = 2_000;
/** The least for sums: without those of a share, the trees of the round are grown again. */
const MIN_SUMS_MS = 5_000;
/** How often a worker may fail to send sums before it is asked no more. */
const MAX_LATE = 3;
/** Between the clocks of two workers. */
const CLOCK_SLACK_MS = 2_000;
/** Between two rounds that are shown in the database although no worker reads them there. */
const SHOW_MS = 4_000;

export interface TransportTeamOptions {
  /** To workers of this machine. */
  near: Transport;
  /** To those of others. */
  far: Transport;
  /** Shows a round that only workers of this machine take part in. */
  show(round: ShownRound): Promise<void>;
  /** See {@link Team.lastRound}. */
  lastRound: number;
  logger: Logger;
  /** For tests; default: {@link MIN_SUMS_MS}. */
  minSumsMs?: number;
}

/** A round as it is shown in the database. */
export interface ShownRound extends Omit<Offer, 'weights'> {
  /** Of the round before. */
  last: RoundPace | null;
}

/** The other workers of a trial, here and on other machines: who takes part in a round, and how long they are waited for. */
export class TransportTeam implements Team, SumTeam {
  readonly lastRound: number;
  readonly #options: TransportTeamOptions;
  #waiting: { near: readonly WaitingWorker[]; far: readonly WaitingWorker[] } = { near: [], far: [] };
  /** The last round that each worker was offered: until it waits for a later one, it is busy or dead. */
  readonly #offered = new Map<number, number>();
  /** Workers that wait as nobody can, of which the log has been told. */
  readonly #disbelieved = new Set<number>();
  /** How often workers did not send sums; infinitely often if they sent what cannot be. */
  readonly #late = new Map<number, number>();
  /** Of the current round. */
  #members: { near: number[]; far: number[] } = { near: [], far: [] };
  /** The last round that began here. */
  #last = 0;
  #begunMs = 0;
  /** When a round is to be shown next. */
  #showMs = Number.NEGATIVE_INFINITY;

  constructor(options: TransportTeamOptions) {
    this.#options = options;
    this.lastRound = options.lastRound;
  }

  nowMs(): number {
    return systemClock.nowMs();
  }

  async next(): Promise<{ seats: number; needAll: boolean }> {
    const { near, far } = this.#options;
    this.#waiting = { near: await this.#waitingOf(near), far: await this.#waitingOf(far) };
    const all = [...this.#waiting.near, ...this.#waiting.far];
    return { seats: 1 + all.length, needAll: all.some(({ has }) => has !== this.#last) };
  }

  async #waitingOf(transport: Transport): Promise<WaitingWorker[]> {
    const waiting = await transport.waiting();
    const newest = Math.max(this.lastRound, this.#last);
    return waiting.filter((worker) => {
      if ((this.#late.get(worker.processId) ?? 0) > MAX_LATE) return false;
      if (canWait(worker, newest)) return worker.after >= (this.#offered.get(worker.processId) ?? 0);
      if (!this.#disbelieved.has(worker.processId))
        this.#options.logger.warn({ ...worker, newest }, 'a worker waits for a round that nobody has announced');
      this.#disbelieved.add(worker.processId);
      return false;
    });
  }

  async begin(round: Round, weights: RoundWeights | SumsOffer, last: RoundPace | null): Promise<void> {
    const { near, far } = weights.kind === 'sums' ? this.#members : this.#chosen(round);
    const processIds = [...near, ...far];
    const offer = { round, processIds, weights };
    if (near.length > 0) await this.#options.near.offer(offer, last);
    if (far.length > 0) await this.#options.far.offer(offer, last);
    else await this.#show({ round, processIds, last });
    this.#begunMs = this.nowMs();
    for (const processId of processIds) this.#offered.set(processId, round.number);
    this.#members = { near, far };
    this.#last = round.number;
  }

  #chosen({ seats }: Round): { near: number[]; far: number[] } {
    const near = this.#waiting.near.slice(0, seats - 1).map(idOf);
    return { near, far: this.#waiting.far.slice(0, seats - 1 - near.length).map(idOf) };
  }

  async #show(shown: ShownRound): Promise<void> {
    if (this.nowMs() < this.#showMs) return;
    this.#showMs = this.nowMs() + SHOW_MS;
    await this.#options.show(shown);
  }

  /** Called when the own share is trained. */
  async collect(round: Round, form: ChangeForm): Promise<readonly WeightChange[]> {
    const extraMs = Math.max(MIN_EXTRA_MS, MAX_EXTRA_FRACTION * (this.nowMs() - this.#begunMs));
    const sent = await this.#collectAll(round, extraMs);
    const maxSeconds = (this.nowMs() - this.#begunMs + CLOCK_SLACK_MS) / 1000;
    const changes = sent.filter(isChange).filter((change) => this.#believes(change, faultOf(change, form, maxSeconds)));
    this.#missing(round, changes);
    return changes;
  }

  async collectSums(round: Round, form: SumsForm, isOver: () => boolean): Promise<readonly ShareSums[] | null> {
    const { minSumsMs = MIN_SUMS_MS } = this.#options;
    const extraMs = Math.max(minSumsMs, MAX_EXTRA_FRACTION * (this.nowMs() - this.#begunMs)) + form.catchUpMs;
    const sent = await this.#collectAll(round, extraMs, isOver);
    const believed: SentSums[] = [];
    for (const each of sent) {
      if (!isChange(each) && this.#believes(each, faultOfSums(each, form))) believed.push(each);
      else this.#late.set(each.processId, Number.POSITIVE_INFINITY);
    }
    const missing = this.#missing(round, believed);
    if (!isOver()) for (const processId of missing) this.#late.set(processId, 1 + (this.#late.get(processId) ?? 0));
    return missing.length === 0 ? believed : null;
  }

  async #collectAll({ number }: Round, waitMs: number, isOver?: () => boolean): Promise<(SentChange | SentSums)[]> {
    const { near, far } = this.#members;
    const [fromNear, fromFar] = await Promise.all([
      this.#collectFrom('near', { number, processIds: near, waitMs }, isOver),
      this.#collectFrom('far', { number, processIds: far, waitMs }, isOver),
    ]);
    return [...fromNear, ...fromFar];
  }

  /** Workers of the round that did not send what they learnt in their share. */
  #missing({ number }: Round, believed: readonly { processId: number }[]): number[] {
    const { near, far } = this.#members;
    const sent = new Set(believed.map(idOf));
    const missing = [...near, ...far].filter((processId) => !sent.has(processId));
    if (missing.length > 0)
      this.#options.logger.info({ round: number, processes: missing }, 'a round ended without shares');
    return missing;
  }

  #believes({ processId: process }: { processId: number }, fault: string | null): boolean {
    if (fault !== null) this.#options.logger.warn({ process, fault }, 'a worker sent a share that cannot be used');
    return fault === null;
  }

  async #collectFrom(
    way: 'near' | 'far',
    wanted: WantedChanges,
    isOver?: () => boolean,
  ): Promise<readonly (SentChange | SentSums)[]> {
    return wanted.processIds.length === 0 ? [] : this.#options[way].collect(wanted, isOver);
  }
}

const isChange = (sent: SentChange | SentSums): sent is SentChange => 'halves' in sent;

const idOf = ({ processId }: { processId: number }): number => processId;
