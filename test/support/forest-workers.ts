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
} from '../../src/domain/joint-training.ts';
import { Booster } from '../../src/trees/booster.ts';
import { featureBins } from '../../src/trees/feature-bins.ts';
import { followForest } from '../../src/trees/joint/follow.ts';
import { Workspace } from '../../src/trees/kernels/workspace.ts';
import { createObjective, type ForestRows } from '../../src/trees/objective.ts';
import type { BoostingSettings } from '../../src/trees/settings.ts';

/** As each worker of a forest makes it. */
export function boosterOf({ columns, targets }: ForestRows, settings: BoostingSettings): Booster {
  const features = columns.map((column) => featureBins(column));
  const work = new Workspace(features, columns, { slots: settings.maxLeaves, threads: 1 });
  return new Booster({ settings, objective: createObjective(settings, targets), work, targets });
}

/** Adds a worker of the same rows; resolves when there is no further round for it. */
export const followRows = (given: ForestRows, settings: BoostingSettings, lead: Lead): Promise<void> =>
  followForest({ booster: boosterOf(given, settings), rows: given.targets.values.length, lead });

/** A worker's side of {@link MemoryTransport}; with `answer`, a test changes what it sends: null is nothing. */
export class MemoryLead implements Lead {
  readonly processId: number;
  readonly #answer: (sent: ShareSums, count: number) => ShareSums | null;
  #begun: (next: JoinedRound | null) => void = () => undefined;
  #sent: (sent: SentSums | null) => void = () => undefined;
  #count = 0;
  waits: WaitingWorker | undefined;
  sums: Promise<SentSums | null> = Promise.resolve(null);
  #has: number | null = null;
  #after = 0;
  #isOver = false;

  constructor(processId: number, answer: (sent: ShareSums, count: number) => ShareSums | null = (sent) => sent) {
    this.processId = processId;
    this.#answer = answer;
  }

  async next(): Promise<JoinedRound | null> {
    if (this.#isOver) return null;
    this.waits = { processId: this.processId, has: this.#has, after: this.#after };
    return new Promise((resolve) => {
      this.#begun = resolve;
    });
  }

  begin(next: JoinedRound): void {
    this.waits = undefined;
    this.#has = next.round.number;
    this.#after = next.round.number;
    this.sums = new Promise((resolve) => {
      this.#sent = resolve;
    });
    this.#begun(next);
  }

  end(): void {
    this.waits = undefined;
    this.#isOver = true;
    this.#begun(null);
  }

  async send(_round: Round, sent: WeightChange | ShareSums): Promise<void> {
    if (!('sums' in sent)) throw new RangeError('a forest sends sums');
    const answer = this.#answer(sent, ++this.#count);
    this.#sent(answer && structuredClone({ ...answer, processId: this.processId }));
  }
}

/** Workers of a forest in this process. What one does not send is known at once, so that no test waits for it. */
export class MemoryTransport implements Transport {
  readonly leads: MemoryLead[] = [];
  readonly offers: Offer[] = [];

  async waiting(): Promise<readonly WaitingWorker[]> {
    await new Promise((resolve) => setImmediate(resolve)); // others go on
    return this.leads.flatMap(({ waits }) => waits ?? []);
  }

  async offer(offer: Offer): Promise<void> {
    this.offers.push(offer);
    for (const [i, processId] of offer.processIds.entries()) {
      const lead = this.leads.find((each) => each.processId === processId);
      if (lead?.waits === undefined || !canBegin(lead.waits, offer.round, offer.weights)) continue;
      lead.begin({ ...structuredClone({ round: offer.round, weights: offer.weights }), seat: i + 1 });
    }
  }

  async collect({ number, processIds }: WantedChanges): Promise<readonly (SentChange | SentSums)[]> {
    const sent = this.leads.filter(({ processId }) => processIds.includes(processId)).map(({ sums }) => sums);
    const all = await Promise.all(sent);
    // each waits for the next one, as in its file
    await new Promise((resolve) => setImmediate(resolve));
    return number === this.offers.at(-1)?.round.number ? all.flatMap((sums) => sums ?? []) : [];
  }

  end(): void {
    for (const lead of this.leads) lead.end();
  }
}
