import type { Labels } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';

/**
 * What a command learns, [N]: `target`, the index of a row's class (int32) or its number (float32), and `row_weight`, what a row counts. With balanced
 * classes that is N / (K n), as scikit-learn's class_weight="balanced"; otherwise 1.
 */
export function targetTensors(
  labels: Labels,
  { classes, balanced }: { classes: number; balanced: boolean },
): Record<'target' | 'row_weight', TensorData> {
  if (!ArrayBuffer.isView(labels)) throw new RangeError('the rows of a command are labelled with classes or numbers');
  const shape = [labels.length];
  const weights = new Float32Array(labels.length).fill(1);
  const row_weight: TensorData = { dtype: 'float32', shape, data: weights };
  if (labels instanceof Float64Array)
    return { target: { dtype: 'float32', shape, data: Float32Array.from(labels) }, row_weight };
  if (balanced) {
    const counts = new Uint32Array(classes);
    for (const label of labels) counts[label]!++;
    const present = counts.filter((count) => count > 0).length;
    labels.forEach((label, row) => {
      weights[row] = labels.length / (present * (counts[label] as number));
    });
  }
  return { target: { dtype: 'int32', shape, data: labels }, row_weight };
}
