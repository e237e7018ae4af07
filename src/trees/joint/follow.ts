import { type Lead, rowsOfSeat, sourceOfBasis } from '../../domain/joint-training.ts';
import { BadData } from '../../errors/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Booster } from '../booster.ts';
import type { SumExchange } from '../grow.ts';
import { joinSums, splitSums, treesOfFlat } from './flat-sums.ts';

export interface FollowingGrowth {
  /** With the rows of all. */
  booster: Booster;
  /** How many they are. */
  rows: number;
  lead: Lead;
}

/**
 * Adds the sums of a share of the rows to those of a forest that another worker leads, until there is no further round. Throws {@link BadData}
 * if its trees would follow from something else.
 */
export async function followForest({ booster, rows, lead }: FollowingGrowth): Promise<void> {
  const speed = new TreeTimes(booster);
  const source = booster.fingerprint();
  let growth: SumExchange<never> | undefined;
  let own: readonly Float64Array[] = [];
  let sums: Float64Array | undefined; // the same again where possible: a new one of such a size takes longer than to fill it
  for (let next = await lead.next(); next !== null; next = await lead.next()) {
    const { round, seat, weights } = next;
    if (sourceOfBasis(round.basis) !== source) throw otherBins();
    const startedMs = systemClock.nowMs();
    if (weights.kind === 'trees') {
      booster.replaceTrees(treesOfFlat(weights.trees));
      booster.share(rowsOfSeat(rows, seat, round.seats));
      growth = endless(booster);
      own = growth.next().value;
    } else if (weights.kind === 'sums' && growth !== undefined) own = growth.next(splitSums(weights.sums, own)).value;
    else throw new RangeError(`a forest does not continue from ${weights.kind}`);
    const { from, to } = rowsOfSeat(rows, seat, round.seats);
    const seconds = speed.add((systemClock.nowMs() - startedMs) / 1000);
    sums = joinSums(own, sums);
    await lead.send(round, { sums, rows: to - from, seconds });
  }
}

const otherBins = (): BadData =>
  new BadData('this worker would grow other trees than the one that leads the trial', {
    detail: 'Both have read the same rows, but their columns, bins or settings differ.',
    hint: 'The trial continues without this worker. Let all workers run the same version of Rafiki; numbers of long texts may differ between kinds of machines.',
  });

function* endless(booster: Booster): SumExchange<never> {
  for (;;) yield* booster.round();
}

/** How long the last round of trees took. */
class TreeTimes {
  readonly #booster: Booster;
  #trees: number;
  #seconds = 0;
  #last = 0;

  constructor(booster: Booster) {
    this.#booster = booster;
    this.#trees = booster.forest.trees.length;
  }

  add(seconds: number): number {
    this.#seconds += seconds;
    const { trees } = this.#booster.forest;
    if (trees.length === this.#trees) return this.#last || this.#seconds;
    this.#trees = trees.length;
    this.#last = this.#seconds;
    this.#seconds = 0;
    return this.#last;
  }
}
