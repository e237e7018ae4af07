import type {
  JoinedRound,
  Lead,
  Round,
  RoundPace,
  RoundWeights,
  Team,
  WeightChange,
} from '../../domain/joint-training.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { FromChild, ToChild } from '../messages.ts';

/** The messages between a training process and the worker that owns it. */
export interface ParentChannel {
  send(message: FromChild): Promise<void>;
  /** The parent's next message of this kind. */
  next<Kind extends ToChild['kind']>(kind: Kind): Promise<Extract<ToChild, { kind: Kind }>>;
}

/** The other workers of a trial, reached through the worker that owns this process. */
export class ParentTeam implements Team {
  readonly #channel: ParentChannel;
  #ready = 0;
  #needAll = false;

  constructor(channel: ParentChannel) {
    this.#channel = channel;
  }

  /** Notes the workers that wait for the next round. */
  setReady({ ready, needAll }: Extract<ToChild, { kind: 'team' }>): void {
    this.#ready = ready;
    this.#needAll = needAll;
  }

  nowMs(): number {
    return systemClock.nowMs();
  }

  next(): { seats: number; needAll: boolean } {
    return { seats: this.#ready + 1, needAll: this.#needAll };
  }

  async begin(round: Round, weights: RoundWeights, last: RoundPace | null): Promise<void> {
    const begun = this.#channel.next('begun');
    await this.#channel.send({ kind: 'begin-round', round, weights, last });
    await begun;
  }

  async collect(round: Round): Promise<readonly WeightChange[]> {
    const reply = this.#channel.next('changes');
    await this.#channel.send({ kind: 'collect', round });
    return (await reply).changes;
  }
}

/** The leading worker of a trial, reached through the worker that owns this process. */
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

  send(round: Round, change: WeightChange): Promise<void> {
    return this.#channel.send({ kind: 'change', round, change });
  }
}
