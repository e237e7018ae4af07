import type { Labels } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import { balancedWeights } from '../../models/balanced-weights.ts';

/**
 * What a command learns, [N]: `target`, the index of a row's class (int32) or its number (float32), and `row_weight`, what a row counts: 1, or
 * as much that all classes count the same.
 */
export function targetTensors(
  labels: Labels,
  { classes, balanced }: { classes: number; balanced: boolean },
): Record<'target' | 'row_weight', TensorData> {
  if (!ArrayBuffer.isView(labels)) throw new RangeError('the rows of a command are labelled with classes or numbers');
  const shape = [labels.length];
  const row_weight = (data: Float32Array = new Float32Array(labels.length).fill(1)): TensorData => ({
    dtype: 'float32',
    shape,
    data,
  });
  if (labels instanceof Float64Array)
    return { target: { dtype: 'float32', shape, data: Float32Array.from(labels) }, row_weight: row_weight() };
  const weights = balanced ? balancedWeights(labels, classes) : undefined;
  return { target: { dtype: 'int32', shape, data: labels }, row_weight: row_weight(weights) };
}
