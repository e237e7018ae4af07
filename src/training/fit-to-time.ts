import type { Knobs } from '../domain/hyper-space.ts';
import type { Examples } from '../domain/task.ts';
import type { TimeLeft, TrainingSpec } from '../domain/training.ts';
import { Trainer } from '../engine/trainer.ts';
import { familyByName } from '../models/registry.ts';
import { systemClock } from '../runtime/clock.ts';
import { createRng } from '../runtime/rng.ts';
import { epochOf, minEpochs, prepareTrial, trainerOf } from './trial.ts';

/** Enough rows for a representative step. */
const TIMED_ROWS = 256;

/**
 * The knobs of the largest network, at most as large as requested, that can train its minimum of epochs in the trial's
 * share of time: a wide network that has hardly started to learn is worth less than a narrow one. Knobs in `fixed` are
 * not changed.
 */
export async function fitToTime(
  spec: TrainingSpec,
  { studySeconds, shareSeconds }: TimeLeft,
  fixed: ReadonlySet<string>,
): Promise<Knobs> {
  const { smaller, space, recipe } = familyByName(spec.family);
  const seconds = Math.min(studySeconds, shareSeconds);
  let knobs: Knobs = { ...space(spec.task).initial(), ...spec.knobs };
  for (;;) {
    const next = smaller?.(knobs) ?? null;
    if (next === null || Object.keys(next).some((name) => fixed.has(name) && next[name] !== knobs[name])) return knobs;
    if (minEpochs(recipe(knobs)) * (await secondsPerEpoch({ ...spec, knobs })) <= seconds) return knobs;
    knobs = next;
  }
}

/** Measured on a few steps that do not change the weights. */
async function secondsPerEpoch(spec: TrainingSpec): Promise<number> {
  const { train, valid } = spec.data;
  const trial = await prepareTrial({ ...spec, data: { ...spec.data, train: firstOf(train), valid: firstOf(valid) } });
  const { recipe } = trial;
  const { batch, stepsPerEpoch } = epochOf(recipe, train.inputs.length);
  const trainer = await Trainer.create(trainerOf({ ...trial, batch }));
  try {
    const rng = createRng(spec.seed);
    const rows = (step: number): Int32Array =>
      Int32Array.from({ length: batch }, (_, row) => (step * batch + row) % trial.train.count);
    const steps = Array.from({ length: recipe.stepsPerRun }, (_, step) => ({
      ...trial.train.batch(rows(step), { rng, progress: 0 }),
      learningRate: 0,
    }));
    await trainer.run(steps, recipe); // warm-up
    const startedMs = systemClock.nowMs();
    await trainer.run(steps, recipe);
    return ((systemClock.nowMs() - startedMs) / 1000 / steps.length) * stepsPerEpoch;
  } finally {
    await trainer.release();
  }
}

const firstOf = ({ inputs, labels }: Examples): Examples => ({
  inputs: inputs.slice(0, TIMED_ROWS),
  labels: labels.slice(0, TIMED_ROWS),
});
