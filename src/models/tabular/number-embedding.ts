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
/** Standard deviation of the frequencies: numbers are scaled to about ±3. */
const FREQUENCY = 0.1;

/** Of more numbers none is embedded: they would take most of the time of a step. */
const MAX_NUMBERS = 128;

/** The first columns of a matrix [N, width] are numbers, which are embedded; the other columns stay. */
export interface NumberEmbedding {
  parameters: Readonly<Record<string, ParameterSpec>>;
  /** Columns of the embedded matrix. */
  width: number;
  embed(t: Tape, x: Value, parameters: Values): Value;
}

/**
 * Periodic embeddings as in RealMLP (Holzmüller et al. 2024, arXiv 2407.04491, section 3: "PBLD"): a number x becomes (x, W · cos(2π f x + φ) + b)
 * with its own frequencies f, phases φ, W and b, all of them learnt. So a network can be steep in a number, as trees are.
 */
export function numberEmbedding(numbers: number, width: number): NumberEmbedding {
  if (numbers === 0 || numbers > MAX_NUMBERS) return { parameters: {}, width, embed: (_, x) => x };
  const bound = 1 / Math.sqrt(WAVES);
  return {
    width: width + numbers * EMBEDDED,
    parameters: {
      'numbers.frequency': { shape: [numbers, 1, WAVES], init: { kind: 'normal', deviation: 2 * Math.PI * FREQUENCY } },
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
