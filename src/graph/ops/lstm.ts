import * as emit from '../emit.ts';
import { absent, type Graph, type Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { arriving, before, noState, type RecurrentOptions, scan, timeFirst } from './sequence.ts';

/** Rows of w, r and b: input gate i, output gate o, forget gate f, candidate c. */
export interface LstmParts {
  /** [4H, I] */
  w: Value;
  /** [4H, H] */
  r: Value;
  /** [4H] */
  b: Value;
}

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000): x [N, T, I] → h [N, H]
 * or [N, T, H]. With a = w x + r h + b: i, o, f = σ(a_i), σ(a_o), σ(a_f), g = tanh(a_c), c' = f ⊙ c + i ⊙ g,
 * h' = o ⊙ tanh c'.
 *
 * ONNX's fused operator keeps neither gates nor cells: the gradient works the gates out again for all steps in two products,
 * and the cells in a scan of two nodes. On the way back dc' = dc + dh ⊙ o(1 − tanh² c'), and a has the gradients
 * da_i = dc' ⊙ g i(1 − i), da_o = dh ⊙ tanh c' o(1 − o), da_f = dc' ⊙ c f(1 − f), da_c = dc' ⊙ i(1 − g²); the step before gets
 * dc = dc' ⊙ f and dh = da·r.
 */
export function lstm(t: Tape, x: Value, parts: LstmParts, { lengths, give = 'last' }: RecurrentOptions = {}): Value {
  const g = t.graph;
  const xs = timeFirst(g, x);
  const [time = 1, n = 1] = xs.shape;
  const hidden = Number(emit.dimOf(parts.r, 1));
  const [states, last] = [g.value([time, 1, n, hidden]), g.value([1, n, hidden])];
  const biases = emit.pad(g, parts.b, 0, 0, 4 * hidden); // ONNX has one for w·x and one for r·h
  const weights = [parts.w, parts.r, biases].map((v) => emit.reshape(g, v, [1, ...v.shape]));
  g.nodeInto('LSTM', [xs, ...weights, lengths ?? absent], [states, last], { attributes: { hidden_size: hidden } });

  const all = emit.reshape(g, states, [time, n, hidden]);
  const y = give === 'all' ? timeFirst(g, all) : emit.reshape(g, last, [n, hidden]);
  return t.record(y, [x, parts.w, parts.r, parts.b], (dy, needs) => {
    const [xRows, hRows] = [emit.flatten(g, xs), emit.flatten(g, before(g, all))];
    const arrived = arriving(g, dy, { x: xs, hidden, give, ...(lengths === undefined ? {} : { lengths }) });
    const da = backward(g, { x: xRows, h: hRows, states: all, arrived }, parts);
    return [
      needs(x) ? timeFirst(g, emit.reshape(g, emit.matmul(g, da, parts.w), xs.shape)) : null,
      emit.matmul(g, da, xRows, { ta: true }),
      emit.matmul(g, da, hRows, { ta: true }),
      emit.reshape(g, emit.reduce(g, 'ReduceSum', da, [0]), [4 * hidden]),
    ];
  });
}

interface Course {
  /** [T·N, I] */
  x: Value;
  /** States before each step, [T·N, H]. */
  h: Value;
  /** [T, N, H] */
  states: Value;
  arrived: ReturnType<typeof arriving>;
}

/** da of all steps, [T·N, 4H]. */
function backward(g: Graph, course: Course, parts: LstmParts): Value {
  const { states, arrived } = course;
  const { start, added } = arrived;
  const [n = 1, hidden = 1] = states.shape.slice(1).map(Number);
  const [da] = scan(g, `${states.name}.back`, {
    direction: 'backward',
    carried: [start, noState(g, n, hidden)],
    each: [...factorsOf(g, course, parts), ...added],
    step: (body, [dh = start, dc = start], [ofOutput = start, ofState = start, ofCell = start, f = start, own]) => {
      const total = own === undefined ? dh : emit.add(body, dh, own);
      const cell = emit.add(body, dc, emit.mul(body, total, ofState));
      const spread = emit.mul(body, emit.reshape(body, cell, [n, 1, hidden]), ofCell);
      const output = emit.reshape(body, emit.mul(body, total, ofOutput), [n, 1, hidden]);
      const [i, rest] = [emit.slice(body, spread, 1, 0, 1), emit.slice(body, spread, 1, 1, 3)];
      const pre = emit.reshape(body, emit.concat(body, [i, output, rest], 1), [n, 4 * hidden]);
      return { carried: [emit.matmul(body, pre, parts.r), emit.mul(body, cell, f)], kept: [pre] };
    },
  });
  return emit.flatten(g, da ?? start);
}

/** Of all steps, what dh is multiplied by for the output gate and for the cell, [T, N, H], dc' for the other gates, [T, N, 3, H], and f. */
function factorsOf(g: Graph, { x, h, states }: Course, { w, r, b }: LstmParts): Value[] {
  const [time = 1, n = 1] = states.shape;
  const hidden = Number(emit.dimOf(r, 1));
  const sums = emit.affine(g, h, r, emit.affine(g, x, w, b));
  const part = (v: Value, from: number, to = from + 1): Value => emit.slice(g, v, 1, from * hidden, to * hidden);
  const open = emit.unary(g, 'Sigmoid', part(sums, 0, 3));
  const [i, o, f] = [part(open, 0), part(open, 1), part(open, 2)];
  const candidate = emit.unary(g, 'Tanh', part(sums, 3));

  const steps = (v: Value, ...shape: number[]): Value => emit.reshape(g, v, [time, n, ...shape, hidden]);
  const c = cells(g, states, { kept: steps(f), added: steps(emit.mul(g, i, candidate)) });
  const shown = emit.unary(g, 'Tanh', emit.flatten(g, c));
  const one = g.scalar(1);
  const slope = (gate: Value): Value => emit.mul(g, gate, emit.sub(g, one, gate));
  const flat = (v: Value): Value => emit.sub(g, one, emit.mul(g, v, v));
  const ofCell = emit.concat(
    g,
    [
      emit.mul(g, candidate, slope(i)),
      emit.mul(g, emit.flatten(g, before(g, c)), slope(f)),
      emit.mul(g, i, flat(candidate)),
    ],
    1,
  );
  return [steps(emit.mul(g, shown, slope(o))), steps(emit.mul(g, o, flat(shown))), steps(ofCell, 3), steps(f)];
}

/** c' = f ⊙ c + i ⊙ g, from zeros: [T, N, H]. */
function cells(g: Graph, states: Value, { kept, added }: { kept: Value; added: Value }): Value {
  const [n = 1, hidden = 1] = states.shape.slice(1).map(Number);
  const start = noState(g, n, hidden);
  const [c] = scan(g, `${states.name}.cells`, {
    direction: 'forward',
    carried: [start],
    each: [kept, added],
    step: (body, [earlier = start], [keep = start, add = start]) => {
      const next = emit.add(body, emit.mul(body, earlier, keep), add);
      return { carried: [next], kept: [emit.unary(body, 'Identity', next)] };
    },
  });
  return c ?? start;
}
