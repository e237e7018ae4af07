import type { JoinedRound, Lead, Round, RoundWeights, Team, WeightChange } from '../../src/domain/joint-training.ts';
import type { TrainingSpec } from '../../src/domain/training.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { deriveSeed } from '../../src/runtime/rng.ts';
import { basisOf } from '../../src/training/joint/basis.ts';
import { trainShares } from '../../src/training/joint/shares.ts';

type Next = JoinedRound | null;

/**
 * The workers of one trial in one process: they train one after the other, so that a machine of any size can have many.
 * Its clock runs while the leading one trains, as if the others trained meanwhile, and an exchange takes a given time.
 */
export class MemoryTeam implements Team {
  readonly #others: JoinedWorker[];
  readonly #running: Promise<void>[];
  readonly #exchangeMs: number;
  #begun = false;
  readonly lastRound = 0;
  /** Time that the clock stood still, and when it was stopped. */
  #stoodMs = 0;
  #stoppedMs: number | undefined;
  readonly rounds: Round[] = [];
  #offered: { round: Round; weights: RoundWeights } | undefined;

  /** `spec` and `basis`: of the other workers, which may hold another shard. */
  constructor(spec: TrainingSpec, seats: number, exchangeMs = 0, basis = basisOf(spec)) {
    this.#exchangeMs = exchangeMs;
    this.#others = Array.from({ length: seats - 1 }, (_, i) => new JoinedWorker(i + 1));
    // Their noise must differ; rows and augmentation come from the trial's seed.
    this.#running = this.#others.map((other) =>
      trainShares({ ...spec, noiseSeed: deriveSeed(spec.seed, other.seat) }, other, basis),
    );
  }

  nowMs(): number {
    return (this.#stoppedMs ?? systemClock.nowMs()) - this.#stoodMs;
  }

  async next(): Promise<{ seats: number; needAll: boolean }> {
    const needAll = !this.#begun;
    this.#begun = true;
    return { seats: this.#others.length + 1, needAll };
  }

  async begin(round: Round, weights: RoundWeights): Promise<void> {
    this.rounds.push(round);
    if (this.#stoppedMs !== undefined) this.#stoodMs += systemClock.nowMs() - this.#stoppedMs;
    this.#stoppedMs = undefined;
    this.#offered = { round, weights };
  }

  async collect(): Promise<readonly WeightChange[]> {
    this.#stoppedMs = systemClock.nowMs();
    const changes: WeightChange[] = [];
    for (const other of this.#others) {
      if (this.#offered === undefined || other.seat >= this.#offered.round.seats) continue;
      other.offer({ ...structuredClone(this.#offered), seat: other.seat }); // a message of its own, as from every transport
      changes.push(await other.change);
    }
    this.#stoodMs -= this.#exchangeMs;
    return changes;
  }

  async end(): Promise<void> {
    for (const other of this.#others) other.offer(null);
    await Promise.all(this.#running);
  }
}

class JoinedWorker implements Lead {
  readonly seat: number;
  change: Promise<WeightChange> = new Promise(() => undefined);
  #sent: (change: WeightChange) => void = () => undefined;
  #offered: (next: Next) => void = () => undefined;
  #next: Promise<Next>;

  constructor(seat: number) {
    this.seat = seat;
    this.#next = this.#await();
  }

  offer(next: Next): void {
    this.change = new Promise((resolve) => {
      this.#sent = resolve;
    });
    this.#offered(next);
  }

  async next(): Promise<Next> {
    const next = await this.#next;
    this.#next = this.#await();
    return next;
  }

  async send(_round: Round, change: WeightChange): Promise<void> {
    this.#sent(change);
  }

  #await(): Promise<Next> {
    return new Promise((resolve) => {
      this.#offered = resolve;
    });
  }
}
