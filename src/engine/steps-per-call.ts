import type { Network } from '../graph/network.ts';

/** Networks with fewer values outside of tables copy them in less time than a step's share of a call's rows. */
const fewDense = 8192;

/**
 * Maximum number of steps per call of the runtime. A call copies all weights except tables in and out; each of its
 * steps copies the table rows that the whole call uses. If nearly all weights are in tables, as in fastText, single
 * steps are fastest (`bench engine`, fasttext); otherwise there is no limit.
 */
export function stepsPerCall({ parameters }: Network): number {
  const specs = Object.values(parameters);
  const dense = specs.filter(({ rowsOf }) => rowsOf === undefined);
  const numbers = dense.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return dense.length < specs.length && numbers < fewDense ? 1 : Number.POSITIVE_INFINITY;
}
