import type {
  JoinedRound,
  Lead,
  Round,
  RoundPace,
  RoundWeights,
  Team,
  WeightChange,
} from '../../domain/joint-training.ts';
import type { FromChild, ToChild } from '../messages.ts';

type Send = (message: FromChild) => Promise<void>;

/** The other workers of a trial, reached through the worker that owns this process. */
export class ParentTeam implements Team {
  readonly #send: Send;
  #ready = 0;
  #needAll = false;
  #begun: () => void = () => undefined;
  #collected: (changes: readonly WeightChange[]) => void = () => undefined;

  constructor(send: Send) {
    this.#send = send;
  }

  receive(message: ToChild): void {
    if (message.kind === 'team') {
      this.#ready = message.ready;
      this.#needAll = message.needAll;
    } else if (message.kind === 'begun') this.#begun();
    else if (message.kind === 'changes') this.#collected(message.changes);
  }

  next(): { seats: number; needAll: boolean } {
    return { seats: this.#ready + 1, needAll: this.#needAll };
  }

  async begin(round: Round, weights: RoundWeights, last: RoundPace | null): Promise<void> {
    const begun = new Promise<void>((resolve) => {
      this.#begun = resolve;
    });
    await this.#send({ kind: 'begin-round', round, weights, last });
    await begun;
  }

  async collect(round: Round): Promise<readonly WeightChange[]> {
    const collected = new Promise<readonly WeightChange[]>((resolve) => {
      this.#collected = resolve;
    });
    await this.#send({ kind: 'collect', round });
    return collected;
  }
}

/** The leading worker of a trial, reached through the worker that owns this process. */
export class ParentLead implements Lead {
  readonly #send: Send;
  #offered: (next: JoinedRound | null) => void = () => undefined;

  constructor(send: Send) {
    this.#send = send;
  }

  receive(message: ToChild): void {
    if (message.kind === 'round') this.#offered(message.next);
  }

  async next(): Promise<JoinedRound | null> {
    const offered = new Promise<JoinedRound | null>((resolve) => {
      this.#offered = resolve;
    });
    await this.#send({ kind: 'next-round' });
    return offered;
  }

  send(round: Round, change: WeightChange, rowsPerSecond: number): Promise<void> {
    return this.#send({ kind: 'change', round, change, rowsPerSecond });
  }
}
