import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/**
 * Convolution over time without padding: x [N, T, E], w [k·E, F] → y [N, T − k + 1, F], y[n, s] = Σⱼ x[n, s + j]·wⱼ.
 * Windows side by side make it one matrix product: y = c·w, dw = cᵀ·dy, and dx adds dy·wᵀ back window by window.
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

/** [N, T, E] → [N, T − k + 1, k·E]: each row holds the k steps that begin there. */
function unfold(t: Tape, x: Value, width: number): Value {
  const steps = Array.from({ length: width }, (_, j) => emit.slice(t.graph, x, 1, j, endOf(width - 1 - j)));
  const windows = emit.concat(t.graph, steps, 2);
  return { ...windows, shape: [emit.dimOf(x, 0), emit.dimOf(steps[0] ?? x, 1), emit.dimOf(windows, 2)] };
}

/** The transpose of `unfold`: every step of every window is added where it came from. */
function fold(t: Tape, dWindows: Value, width: number, x: Value): Value {
  const size = Number(emit.dimOf(x, 2));
  const parts = Array.from({ length: width }, (_, j) => {
    const step = emit.slice(t.graph, dWindows, 2, j * size, (j + 1) * size);
    return emit.pad(t.graph, step, 1, j, width - 1 - j);
  });
  return t.graph.node('Sum', parts, x.shape);
}

const endOf = (cut: number): number | undefined => (cut === 0 ? undefined : -cut);
