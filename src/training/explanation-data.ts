import { spread } from '../domain/ensembles/panel.ts';
import { inputOf, type RawInput } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { ExplanationData } from '../domain/training.ts';
import { keepRows } from '../features/columns/kept-rows.ts';
import { trainingRowsOf } from '../features/columns/table-rows.ts';
import { createEncoder } from '../features/registry.ts';
import type { ModelParts } from '../models/learner.ts';
import type { PreparedTrial } from './trial.ts';

/** Training rows that are kept with a model: what is not known of a row is taken from them. */
const KEPT_ROWS = 32;
/** Training rows whose mean is kept: enough for two digits. */
const AVERAGED_ROWS = 4096;

/** What explanations need of a network that reads rows; undefined for others. */
export async function explanationData(
  { spec, family, features }: Pick<PreparedTrial, 'spec' | 'family' | 'features'>,
  parts: ModelParts,
): Promise<ExplanationData | undefined> {
  if (inputOf(spec.task) !== 'columns') return undefined;
  const { inputs } = spec.data.train;
  const [weights, biases] = [parts[family.sum?.weights ?? ''], parts[family.sum?.biases ?? '']];
  if (weights === undefined || biases === undefined)
    return { kind: 'rows', columns: keepRows(trainingRowsOf(some(inputs, KEPT_ROWS))) };
  const [rows] = Object.values(await createEncoder(features).encode(some(inputs, AVERAGED_ROWS)));
  return { kind: 'sum', tensors: { weights, biases, means: meansOf(rows) } };
}

/** Some inputs, from all parts of a source with an order. */
const some = (inputs: readonly RawInput[], most: number): RawInput[] =>
  Array.from(spread(inputs.length, most), (i) => inputs[i] as RawInput);

/** Of each number of encoded rows [rows, numbers]. */
function meansOf(rows: TensorData | undefined): TensorData {
  if (!(rows?.data instanceof Float32Array)) throw new RangeError('a sum is taken over one matrix of float32');
  const [count = 0, width = 0] = rows.shape;
  const sums = new Float64Array(width);
  for (let i = 0; i < rows.data.length; i++) sums[i % width] = (sums[i % width] as number) + (rows.data[i] as number);
  return { dtype: 'float32', shape: [width], data: Float32Array.from(sums, (sum) => sum / count) };
}
