import * as emit from '../emit.ts';
import { elementTypes, type Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/**
 * Mean of the rows in each bag: table [V, D] whose row 0 is for padding and all zeros, ids [N, T] → y [N, D],
 * y[n] = Σₜ table[ids[n, t]] / #{t : ids[n, t] ≠ 0}, and zero for an empty bag.
 *
 * In training the table has only the batch's rows, so the mean is a product y = S·table with the bag matrix
 * S [N, V], S[n, v] = count of v in bag n / size of bag n, and dTable = Sᵀ·dy, without a tensor [N, T, D].
 */
export function embeddingBag(t: Tape, table: Value, ids: Value): Value {
  const g = t.graph;
  const present = emit.cast(g, emit.cast(g, ids, 'bool', elementTypes.bool), 'float32', elementTypes.float32);
  const size = g.node('Max', [emit.reduce(g, 'ReduceSum', present, [1]), g.scalar(1)], [emit.dimOf(ids, 0), 1]);
  if (!t.training) {
    const sum = emit.reduce(g, 'ReduceSum', emit.gather(g, table, ids), [1]);
    return emit.div(g, emit.reshape(g, sum, [emit.dimOf(ids, 0), emit.dimOf(table, 1)]), size);
  }
  const weights = emit.div(g, present, size);
  const shape = [emit.dimOf(ids, 0), emit.dimOf(table, 0)];
  const attributes = { axis: 1, reduction: 'add' };
  const bags = g.node('ScatterElements', [zeros(t, ids, table), ids, weights], shape, { attributes });
  return t.record(emit.matmul(g, bags, table), [table], (dy) => [emit.matmul(g, bags, dy, { ta: true })]);
}

/** [N, V] of zeros, N and V read when the graph runs. */
function zeros(t: Tape, ids: Value, table: Value): Value {
  const g = t.graph;
  const first = (x: Value): Value => emit.slice(g, g.node('Shape', [x], [x.shape.length], { dtype: 'int64' }), 0, 0, 1);
  const shape = emit.concat(g, [first(ids), first(table)], 0);
  return g.node('ConstantOfShape', [shape], [emit.dimOf(ids, 0), emit.dimOf(table, 0)]);
}
