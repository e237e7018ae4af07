import type { Knobs } from '../domain/hyper-space.ts';
import type { Examples } from '../domain/task.ts';
import { affordableTrials, type StudyTime, type TrainingSpec } from '../domain/training.ts';
import { Trainer } from '../engine/trainer.ts';
import { allKnobs } from '../models/knobs.ts';
import { familyByName, isNetwork } from '../models/registry.ts';
import { systemClock } from '../runtime/clock.ts';
import { createRng } from '../runtime/rng.ts';
import { epochOf, prepareTrial, trainerOf } from './trial.ts';

/**
 * Minimum share of its epochs for which a network must have time: a smaller one that is trained to its end is as good or better, and answers more quickly. ResNet on
 * CIFAR-10 in ten minutes, half of its epochs at width 32: docs/experiments/zoo.md.
 */
const MIN_SHARE = 0.75;

/** Enough rows for a representative step. */
const TIMED_ROWS = 256;

export interface FittedTrial {
  knobs: Knobs;
  /** Seconds that all epochs take on one worker; 0 for a family that is quick on all data and is not measured. */
  fullSeconds: number;
}

/**
 * The largest network, at most as large as requested, for three quarters of whose epochs all workers of the study have the time: a
 * wide network that is half-trained is worth less than a narrow one. Knobs in `fixed` are not changed.
 */
export async function fitToTime(spec: TrainingSpec, time: StudyTime, fixed: ReadonlySet<string>): Promise<FittedTrial> {
  const family = familyByName(spec.family);
  let knobs = allKnobs(family, spec);
  if (!isNetwork(family) || family.smaller === undefined) return { knobs, fullSeconds: 0 };
  const { recipe, smaller } = family;
  for (;;) {
    const fullSeconds = recipe(knobs).epochs * (await secondsPerEpoch({ ...spec, knobs }));
    const next = smaller(knobs);
    const fits = affordableTrials(time, fullSeconds) >= MIN_SHARE;
    const isFixed = next === null || Object.keys(next).some((name) => fixed.has(name) && next[name] !== knobs[name]);
    if (fits || isFixed) return { knobs, fullSeconds };
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
