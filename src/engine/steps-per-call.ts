import type { Network } from '../graph/network.ts';

/** Below so many numbers outside of tables, copying them costs less than a step's share of a call's rows. */
const fewDense = 8192;

/**
 * Steps that one call of the runtime takes at most. A call copies all weights but tables in and out; each of its steps
 * copies the rows of tables that the whole call touches. Where nearly all weights lie in tables, as in fastText, single
 * steps are the fastest (`bench engine`, fasttext); elsewhere as many as there are.
 */
export function stepsPerCall({ parameters }: Network): number {
  const specs = Object.values(parameters);
  const dense = specs.filter(({ rowsOf }) => rowsOf === undefined);
  const numbers = dense.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return dense.length < specs.length && numbers < fewDense ? 1 : Number.POSITIVE_INFINITY;
}
