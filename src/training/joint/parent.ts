import type {
  JoinedRound,
  Lead,
  Offer,
  Round,
  RoundPace,
  SentChange,
  SentSums,
  ShareSums,
  Transport,
  WaitingWorker,
  WantedChanges,
  WeightChange,
} from '../../domain/joint-training.ts';
import type { FromChild, ToChild } from '../messages.ts';

// The way to workers of other machines: this process has no database, so the worker that owns it carries the messages.

/** How long the parent waits at once for what may be over sooner. */
const LOOK_MS = 500;

/** The messages between a training process and the worker that owns it. */
export interface ParentChannel {
  send(message: FromChild): Promise<void>;
  /** The parent's next message of this kind. */
  next<Kind extends ToChild['kind']>(kind: Kind): Promise<Extract<ToChild, { kind: Kind }>>;
}

/** That of a leading process. */
export interface LeadingChannel extends ParentChannel {
  /** The workers of other machines that wait for a round, as the parent said last. */
  waiting(): readonly WaitingWorker[];
}

export class ParentTransport implements Transport {
  readonly #channel: LeadingChannel;

  constructor(channel: LeadingChannel) {
    this.#channel = channel;
  }

  async waiting(): Promise<readonly WaitingWorker[]> {
    return this.#channel.waiting();
  }

  async offer(offer: Offer, last: RoundPace | null): Promise<void> {
    const begun = this.#channel.next('begun');
    await this.#channel.send({ kind: 'begin-round', offer, last });
    await begun;
  }

  /** What may be over sooner is asked for several times, because the parent, once asked, waits to the end. */
  async collect(wanted: WantedChanges, isOver?: () => boolean): Promise<readonly (SentChange | SentSums)[]> {
    if (isOver === undefined) return this.#collect(wanted);
    const arrived: (SentChange | SentSums)[] = [];
    let { processIds, waitMs } = wanted;
    do {
      arrived.push(...(await this.#collect({ ...wanted, processIds, waitMs: Math.min(LOOK_MS, waitMs) })));
      const known = new Set(arrived.map(({ processId }) => processId));
      processIds = processIds.filter((processId) => !known.has(processId));
      waitMs -= LOOK_MS;
    } while (processIds.length > 0 && waitMs > 0 && !isOver());
    return arrived;
  }

  async #collect(wanted: WantedChanges): Promise<readonly (SentChange | SentSums)[]> {
    const reply = this.#channel.next('changes');
    await this.#channel.send({ kind: 'collect', wanted });
    return (await reply).changes;
  }
}

export class ParentLead implements Lead {
  readonly #channel: ParentChannel;

  constructor(channel: ParentChannel) {
    this.#channel = channel;
  }

  async next(): Promise<JoinedRound | null> {
    const reply = this.#channel.next('round');
    await this.#channel.send({ kind: 'next-round' });
    return (await reply).next;
  }

  send(round: Round, change: WeightChange | ShareSums): Promise<void> {
    return this.#channel.send({ kind: 'change', round, change });
  }
}
