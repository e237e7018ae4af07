import { type JoinedRound, type Lead, rowsOfBasis, shareOf } from '../../domain/joint-training.ts';
import type { TrainingSpec } from '../../domain/training.ts';
import { Trainer } from '../../engine/trainer.ts';
import { BadData } from '../../errors/errors.ts';
import { allKnobs } from '../../models/knobs.ts';
import { familyByName, isNetwork } from '../../models/registry.ts';
import { systemClock } from '../../runtime/clock.ts';
import { orderOf, trainShare } from '../epoch.ts';
import { checkRows, epochOf, prepareTrial, trainerOf } from '../trial.ts';
import { basisOf } from './basis.ts';
import { ErrorFeedback } from './error-feedback.ts';
import { addChange } from './flat-weights.ts';

/**
 * Trains shares of a trial that another worker leads, until there is no further round. If that one has other rows, because each
 * holds a shard, `basis` identifies them, and features are fitted to them.
 */
export async function trainShares(spec: TrainingSpec, lead: Lead, basis = basisOf(spec)): Promise<void> {
  const prepared = await prepareTrial(spec, { replaced: true });
  const leading = spec.fitTo ?? spec.data.train;
  const trial = { ...prepared, ...epochOf(prepared.recipe, leading.inputs.length) }; // its batches and epochs
  const trainer = await Trainer.create(trainerOf(trial));
  const feedback = new ErrorFeedback();
  let common: Float32Array = new Float32Array(0);
  let trained: Float32Array = new Float32Array(0);
  let order: Int32Array = new Int32Array(0);
  let orderedEpoch = -1;
  try {
    const same = new SameRows(lead, basis);
    for (let next = await same.next(); next !== null; next = await same.next()) {
      const { round, seat, weights } = next;
      if (weights.kind === 'trees' || weights.kind === 'sums') throw new RangeError('a network is not made of trees');
      common = weights.kind === 'all' ? weights.values : addChange(common, weights.halves, common);
      trainer.replaceWeights(common);
      const range = shareOf(round, seat, trial.batch);
      if (round.epoch !== orderedEpoch) [order, orderedEpoch] = [orderOf(trial, round.epoch), round.epoch];
      if (order.length < range.to) order = repeated(order, range.to); // of a shard that has fewer rows than the leading one's
      const { epoch, epochs, step, seats } = round;
      const startedMs = systemClock.nowMs();
      await trainShare(trial, trainer, { order, range, epoch, epochs, step, seats });
      const seconds = (systemClock.nowMs() - startedMs) / 1000;
      trained = trainer.flatWeights(trained);
      const halves = feedback.encodeChange(common, trained);
      await lead.send(round, { halves, uses: trainer.takeUses(), rows: range.to - range.from, seconds });
    }
  } finally {
    await trainer.release();
  }
}

/** The same for a family of any kind. */
export async function joinTraining(spec: TrainingSpec, lead: Lead, basis: string): Promise<void> {
  const family = familyByName(spec.family);
  if (isNetwork(family)) return trainShares(spec, lead, basis);
  if (family.joins === undefined) throw new RangeError(`${family.name} is trained by one worker`);
  checkRows(spec.data);
  await family.joins({ ...spec, knobs: allKnobs(family, spec) }, new SameRows(lead, basis));
}

/** A leading worker whose rows are the same. */
class SameRows implements Lead {
  readonly #lead: Lead;
  readonly #basis: string;

  constructor(lead: Lead, basis: string) {
    this.#lead = lead;
    this.#basis = basis;
  }

  async next(): Promise<JoinedRound | null> {
    const next = await this.#lead.next();
    if (next !== null && rowsOfBasis(next.round.basis) !== this.#basis) throw otherRows();
    return next;
  }

  send(...sent: Parameters<Lead['send']>): Promise<void> {
    return this.#lead.send(...sent);
  }
}

/** An order of `length` rows, in which those of a shorter one are repeated. */
const repeated = (order: Int32Array, length: number): Int32Array =>
  Int32Array.from({ length }, (_, i) => order[i % order.length] as number);

const otherRows = (): BadData =>
  new BadData('this worker has other rows than the one that leads the trial', {
    detail: 'The source changed between the times at which they read it.',
    hint: 'The trial continues without this worker.',
  });
