import { type Lead, shareOf } from '../../domain/joint-training.ts';
import type { TrainingSpec } from '../../domain/training.ts';
import { Trainer } from '../../engine/trainer.ts';
import { BadData } from '../../errors/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { orderOf, trainRun } from '../epoch.ts';
import { prepareTrial, trainerOf } from '../trial.ts';
import { basisOf } from './basis.ts';
import { ErrorFeedback } from './error-feedback.ts';
import { addChange } from './flat-weights.ts';

/** Trains shares of a trial that another worker leads, until there is no further round. */
export async function trainShares(spec: TrainingSpec, lead: Lead): Promise<void> {
  const trial = await prepareTrial(spec);
  const trainer = await Trainer.create(trainerOf(trial));
  const feedback = new ErrorFeedback();
  let common: Float32Array = new Float32Array(0);
  const basis = basisOf(spec);
  try {
    for (let next = await lead.next(); next !== null; next = await lead.next()) {
      const { round, seat, weights } = next;
      if (round.basis !== basis) throw otherRows();
      common = weights.kind === 'all' ? weights.values.slice() : addChange(common, weights.halves);
      trainer.replaceWeights(common);
      const { from, to } = shareOf(round, seat);
      const startedMs = systemClock.nowMs();
      const order = orderOf(trial, round.epoch);
      for (let at = from; at < to; at += trial.recipe.stepsPerRun) {
        const range = { from: at, to: Math.min(to, at + trial.recipe.stepsPerRun) };
        const { epoch, epochs, seats, step } = round;
        await trainRun(trial, trainer, { order, range, epoch, epochs, done: step + (at - from) * seats, pace: seats });
      }
      const trained = trainer.flatWeights();
      const halves = feedback.encode(trained.map((value, i) => value - (common[i] ?? 0)));
      const seconds = (systemClock.nowMs() - startedMs) / 1000;
      await lead.send(round, { halves, batches: to - from }, ((to - from) * trial.batch) / seconds);
    }
  } finally {
    await trainer.release();
  }
}

const otherRows = (): BadData =>
  new BadData('this worker has other rows than the one that leads the trial', {
    detail: 'The source changed between the times at which they read it.',
    hint: 'The trial continues without this worker.',
  });
