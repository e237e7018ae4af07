import type { DataSet, Examples } from '../../../src/domain/task.ts';
import type { ParamSet } from '../../../src/domain/tensor.ts';
import type { TrainingHooks, TrainingReport, TrainingSpec } from '../../../src/domain/training.ts';
import { createRng } from '../../../src/runtime/rng.ts';

const words = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta', 'theta', 'iota', 'kappa'];

/** Sentences of random words with random labels: nothing to learn but the rows themselves. */
function randomSentences(rows: number, classes: number, seed = 3): Examples {
  const rng = createRng(seed);
  const inputs = Array.from({ length: rows }, (_, i) => {
    const body = Array.from({ length: 3 + rng.below(8) }, () => `${words[rng.below(words.length)]}${rng.below(30)}`);
    return `row${i} ${body.join(' ')}`;
  });
  return { inputs, labels: Int32Array.from({ length: rows }, () => rng.below(classes)) };
}

/** A data set that is validated on its own training rows: a family that cannot learn 64 rows by heart is broken. */
export function memorable(rows = 64): DataSet {
  const examples = randomSentences(rows, 3);
  return { classes: ['a', 'b', 'c'], train: examples, valid: examples };
}

export function specOf(family: string, knobs: TrainingSpec['knobs'], data = memorable()): TrainingSpec {
  return { task: 'text_classification', family, knobs, seed: 11, threads: 1, data };
}

/** Hooks that let training run to its end, and what they saw. */
export function watched(resume?: ParamSet): TrainingHooks & { reports: TrainingReport[]; checkpoints: ParamSet[] } {
  const reports: TrainingReport[] = [];
  const checkpoints: ParamSet[] = [];
  return {
    reports,
    checkpoints,
    ...(resume === undefined ? {} : { resume }),
    onReport: async (report) => {
      reports.push(report);
      return 'continue';
    },
    onCheckpoint: async (take) => {
      checkpoints.push(take());
    },
  };
}
