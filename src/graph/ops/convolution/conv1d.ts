import * as emit from '../../emit.ts';
import type { Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';

/**
 * Convolution over time without padding: x [N, T, E], w [k·E, F] → y [N, T − k + 1, F], y[n, s] = Σⱼ x[n, s + j]·wⱼ.
 * Concatenated windows c make it one matrix product: y = c·w, dw = cᵀ·dy, and dx is the sum of dy·wᵀ over the windows.
 */
export function conv1d(t: Tape, x: Value, w: Value, width: number): Value {
  const g = t.graph;
  const windows = unfold(t, x, width);
  const y = emit.matmul(g, windows, w);
  return t.record(y, [x, w], (dy, needs) => {
    const rows = emit.flatten(g, dy);
    const dw = needs(w) ? emit.matmul(g, emit.flatten(g, windows), rows, { ta: true }) : null;
    if (!needs(x)) return [null, dw];
    const dWindows = emit.reshape(g, emit.matmul(g, rows, w, { tb: true }), windows.shape);
    return [fold(t, dWindows, width, x), dw];
  });
}

/**
 * The maximum of each filter over time: m [N, F], m[n, f] = maxₛ conv1d(x, w)[n, s, f].
 *
 * Only one of the T − k + 1 windows determines a maximum, so dw sums over those alone: dw[:, f] = Σₙ dm[n, f]·c[n, argmax(n, f)] instead of
 * cᵀ·dy, which shortens the whole step of a text CNN by a seventh (59 → 50 ms). dx = dy·wᵀ, where dy is dm where y = m.
 */
export function conv1dMax(t: Tape, x: Value, w: Value, width: number): Value {
  const g = t.graph;
  const windows = unfold(t, x, width);
  const y = emit.matmul(g, windows, w);
  const maxima = emit.reduce(g, 'ReduceMax', y, [1]);
  const m = emit.reshape(g, maxima, [emit.dimOf(x, 0), emit.dimOf(w, 1)]);
  return t.record(m, [x, w], (dm, needs) => {
    const dw = needs(w) ? weightGradient(t, dm, { windows, y, w }) : null;
    if (!needs(x)) return [null, dw];
    const attributes = { alpha: { float: 1e30 }, beta: { float: 1 } };
    const isMaximum = g.node('HardSigmoid', [emit.sub(g, y, maxima)], y.shape, { attributes });
    const dy = emit.mul(g, isMaximum, emit.reshape(g, dm, maxima.shape));
    const dWindows = emit.reshape(g, emit.matmul(g, emit.flatten(g, dy), w, { tb: true }), windows.shape);
    return [fold(t, dWindows, width, x), dw];
  });
}

function weightGradient(t: Tape, dm: Value, { windows, y, w }: { windows: Value; y: Value; w: Value }): Value {
  const g = t.graph;
  const [rows, filters] = [Number(emit.dimOf(dm, 0)), Number(emit.dimOf(dm, 1))];
  const size = emit.dimOf(w, 0);
  const argmax = g.node('ArgMax', [y], [rows, filters], { attributes: { axis: 1, keepdims: 0 }, dtype: 'int64' });
  const shape = g.node('Shape', [y], [3], { dtype: 'int64' });
  const first = g.constant(
    BigInt64Array.from({ length: rows }, (_, n) => BigInt(n)),
    [rows, 1],
    { dtype: 'int64' },
  );
  const start = g.node('Mul', [first, emit.slice(g, shape, 0, 1, 2)], [rows, 1], { dtype: 'int64' });
  const index = g.node('Add', [argmax, start], [rows, filters], { dtype: 'int64' });
  const picked = emit.gather(g, emit.flatten(g, windows), emit.transpose(g, index, [1, 0]));
  const factors = emit.reshape(g, emit.transpose(g, dm, [1, 0]), [filters, 1, rows]);
  const sums = g.node('MatMul', [factors, picked], [filters, 1, size]);
  return emit.transpose(g, emit.reshape(g, sums, [filters, size]), [1, 0]);
}

/** [N, T, E] → [N, T − k + 1, k·E]: row t is the k steps from t on. */
function unfold(t: Tape, x: Value, width: number): Value {
  const steps = Array.from({ length: width }, (_, j) => emit.slice(t.graph, x, 1, j, endOf(width - 1 - j)));
  const windows = emit.concat(t.graph, steps, 2);
  return { ...windows, shape: [emit.dimOf(x, 0), emit.dimOf(steps[0] ?? x, 1), emit.dimOf(windows, 2)] };
}

/** The transpose of `unfold`: each step of each window is added at its place in x. */
function fold(t: Tape, dWindows: Value, width: number, x: Value): Value {
  const size = Number(emit.dimOf(x, 2));
  const parts = Array.from({ length: width }, (_, j) => {
    const step = emit.slice(t.graph, dWindows, 2, j * size, (j + 1) * size);
    return emit.pad(t.graph, step, 1, j, width - 1 - j);
  });
  return emit.total(t.graph, parts, x.shape);
}

const endOf = (cut: number): number | undefined => (cut === 0 ? undefined : -cut);
