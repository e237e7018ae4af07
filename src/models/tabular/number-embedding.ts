import type { Value } from '../../graph/graph.ts';
import type { ParameterSpec, Values } from '../../graph/network.ts';
import { add, mul } from '../../graph/ops/arithmetic.ts';
import { cos } from '../../graph/ops/elementwise.ts';
import { batchMatmul } from '../../graph/ops/matmul.ts';
import { concat, reshape, slice, transpose } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';

/** Waves of each number, and what they are reduced to. */
const WAVES = 16;
const EMBEDDED = 3;
/** Of more numbers none is embedded: they would take most of the time of a step. */
const MAX_NUMBERS = 128;

/** Of a matrix [N, columns]: the first columns are numbers. */
interface EmbeddedColumns {
  numbers: number;
  columns: number;
  /** Standard deviation of the frequencies at first; numbers are scaled to about ±3. */
  frequency: number;
}

interface NumberEmbedding {
  parameters: Readonly<Record<string, ParameterSpec>>;
  /** Columns of the matrix with the embedded numbers. */
  width: number;
  /** [N, columns] → [N, width] */
  embed(t: Tape, x: Value, parameters: Values): Value;
}

/**
 * Periodic embeddings as in RealMLP (Holzmüller et al. 2024, arXiv 2407.04491, section 3: "PBLD"): a number x becomes (x, W · cos(2π f x + φ) + b)
 * with its own frequencies f, phases φ, W and b, all of them learnt. So a network can be steep in a number, as trees are.
 */
export function numberEmbedding({ numbers, columns, frequency }: EmbeddedColumns): NumberEmbedding {
  if (numbers === 0 || numbers > MAX_NUMBERS) return { parameters: {}, width: columns, embed: (_, x) => x };
  const bound = 1 / Math.sqrt(WAVES);
  return {
    width: columns + numbers * EMBEDDED,
    parameters: {
      'numbers.frequency': { shape: [numbers, 1, WAVES], init: { kind: 'normal', deviation: 2 * Math.PI * frequency } },
      'numbers.phase': { shape: [numbers, 1, WAVES], init: { kind: 'uniform', bound: Math.PI } },
      'numbers.w': { shape: [numbers, WAVES, EMBEDDED], init: { kind: 'uniform', bound } },
      'numbers.b': { shape: [numbers, 1, EMBEDDED], init: { kind: 'uniform', bound } },
    },
    embed(t, x, parameters) {
      const rows = x.shape[0] ?? 1;
      const each = transpose(t, slice(t, x, { axis: 1, start: 0, end: numbers }), [1, 0]);
      const turns = mul(t, reshape(t, each, [numbers, rows, 1]), parameters.of('numbers.frequency'));
      const waves = cos(t, add(t, turns, parameters.of('numbers.phase')));
      const embedded = add(t, batchMatmul(t, waves, parameters.of('numbers.w')), parameters.of('numbers.b'));
      return concat(t, [x, reshape(t, transpose(t, embedded, [1, 0, 2]), [rows, numbers * EMBEDDED])], 1);
    },
  };
}
