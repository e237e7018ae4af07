import type { TensorData } from '../domain/tensor.ts';
import type { ExplanationData, FittedFeatures, KeptColumn } from '../domain/training.ts';
import { CorruptParams } from '../errors/errors.ts';
import { MixedRows } from '../features/columns/kept-rows.ts';
import { originsOf } from '../features/columns/origins.ts';
import { rowsOf } from '../features/columns/table-rows.ts';
import type { Encoder } from '../features/encoder.ts';
import { binTable } from '../trees/binned-table.ts';
import { ForestContributions } from '../trees/contributions.ts';
import { unpackForest } from '../trees/forest-tensors.ts';
import type { MemberExplainer, ScoreParts, Scorer } from './member.ts';
import { sampledShapley } from './shapley.ts';

/** Rows that a member is asked about for an explanation. */
const EVALUATIONS = 512;

interface RowMember {
  features: FittedFeatures;
  encoder: Encoder;
  score: Scorer;
}

/** The parts of a row are its columns, in the order of the model's. */
export function rowExplainer(member: RowMember, data: ExplanationData): MemberExplainer {
  switch (data.kind) {
    case 'forest':
      return forestExplainer(member, data.tensors);
    case 'sum':
      return sumExplainer(member, data.tensors);
    case 'rows':
      return samplingExplainer(member, data.columns);
  }
}

/** Exactly, by the paths of the trees: what is not known of a row goes both ways of a split. */
function forestExplainer(
  { features, encoder }: RowMember,
  tensors: Readonly<Record<string, TensorData>>,
): MemberExplainer {
  const forest = unpackForest(tensors);
  const { columns, of } = originsOf(features);
  const contributions = new ForestContributions(forest, { of, count: columns.length });
  return async ({ input }) => {
    const row = await encodedRow(encoder, input);
    const cells = Array.from(row, (value, f) => ({
      values: Float32Array.of(value),
      categorical: forest.features[f]?.categorical ?? false,
    }));
    const sums = contributions.ofRow(binTable(forest.features, cells), 0);
    return scaled(features, {
      start: Float64Array.from(sums, (sum) => sum[columns.length] as number),
      added: sums.map((sum) => sum.subarray(0, columns.length)),
    });
  };
}

/** Exactly: a column adds its numbers less their means, times their weights; in any order and whatever else is known. */
function sumExplainer(
  { features, encoder }: RowMember,
  tensors: Readonly<Record<'weights' | 'biases' | 'means', TensorData>>,
): MemberExplainer {
  const [weights, biases, means] = [doubles(tensors.weights), doubles(tensors.biases), doubles(tensors.means)];
  const { columns, of } = originsOf(features);
  if (weights.length !== of.length * biases.length || means.length !== of.length)
    throw new CorruptParams('the weights of a model do not fit its features', { hint: 'Train the model again.' });
  const scores = biases.length;
  return async ({ input }) => {
    const row = await encodedRow(encoder, input);
    const start = biases.slice();
    const added = Array.from(start, () => new Float64Array(columns.length));
    for (const [f, column] of of.entries())
      for (let s = 0; s < scores; s++) {
        const [own, weight, mean] = [added[s] as Float64Array, weights[f * scores + s] as number, means[f] as number];
        start[s] = (start[s] as number) + weight * mean;
        own[column] = (own[column] as number) + weight * ((row[f] as number) - mean);
      }
    return scaled(features, { start, added });
  };
}

/** By sampling, for whatever else reads rows: what is not known of a row is that of a row which is kept with the model. */
function samplingExplainer({ score }: RowMember, kept: readonly KeptColumn[]): MemberExplainer {
  return async ({ input, parts }) => {
    const mixed = new MixedRows(rowsOf([input], kept), kept);
    return sampledShapley(
      {
        players: parts,
        draws: mixed.kept,
        value: (coalitions) =>
          score(
            mixed.mix(
              coalitions.length,
              (i, column) => coalitions[i]?.known[column] === 1,
              (i) => coalitions[i]?.draw ?? 0,
            ),
          ),
      },
      EVALUATIONS,
    );
  };
}

const doubles = ({ data }: TensorData): Float64Array => Float64Array.from(data, Number);

async function encodedRow(encoder: Encoder, input: Parameters<Encoder['encode']>[0][number]): Promise<Float32Array> {
  const [row] = Object.values(await encoder.encode([input]));
  if (row?.data instanceof Float32Array) return row.data;
  throw new RangeError('a row is encoded as one matrix of float32');
}

/** Numbers in the unit of the target; of two classes a forest has the score of the second one, and that of the first is 0. */
function scaled({ target, classes }: FittedFeatures, { start, added }: ScoreParts): ScoreParts {
  if (target === undefined) {
    if (classes.length !== 2 || start.length !== 1) return { start, added };
    return { start: Float64Array.of(0, ...start), added: [new Float64Array(added[0]?.length ?? 0), ...added] };
  }
  const { mean, scale } = target;
  return {
    start: start.map((value) => mean + scale * value),
    added: added.map((own) => own.map((part) => scale * part)),
  };
}
