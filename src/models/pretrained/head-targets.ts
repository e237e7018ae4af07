import type { Labels } from '../../domain/task.ts';
import { type Answers, answerWidth } from '../answering.ts';
import { balancedWeights } from '../balanced-weights.ts';

/** What a head is trained on: one-hot classes or standardised numbers, [rows, outputs], and the weight of each row. */
export function headTargets(
  labels: Labels,
  answers: Answers,
  { balanced }: { balanced: boolean },
): { targets: Float32Array; weights: Float32Array } {
  const weights = new Float32Array(labels.length).fill(1);
  if (labels instanceof Float64Array && answers.target !== undefined) {
    const { mean, scale } = answers.target;
    return { targets: Float32Array.from(labels, (label) => (label - mean) / scale), weights };
  }
  if (!(labels instanceof Int32Array)) throw new RangeError('a head is trained on classes or numbers');
  const width = answerWidth(answers);
  const targets = new Float32Array(labels.length * width);
  labels.forEach((label, row) => {
    targets[row * width + label] = 1;
  });
  return { targets, weights: balanced ? balancedWeights(labels, width) : weights };
}
