import * as emit from '../emit.ts';
import { absent, type Graph, type Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { arriving, before, type RecurrentOptions, scan, timeFirst } from './sequence.ts';

/** Rows of w, r and b: update gate z, reset gate r, candidate n. */
export interface GruParts {
  /** [3H, I] */
  w: Value;
  /** [3H, H] */
  r: Value;
  /** [6H]: three for w·x, three for r·h. */
  b: Value;
}

/**
 * Gated recurrent unit (Cho et al. 2014; the reset after the product, as in cuDNN): x [N, T, I] → h [N, H] or [N, T, H],
 * z = σ(w_z x + r_z h + b), r = σ(w_r x + r_r h + b), n = tanh(w_n x + b + r ⊙ (r_n h + b')), h' = (1 − z) ⊙ n + z ⊙ h.
 *
 * The forward is ONNX's fused operator, which keeps no gates: the gradient works them out again for all steps in two
 * products. With dh of h', the gates' inputs have the gradients dz = dh ⊙ (h − n) z(1 − z), dn = dh ⊙ (1 − z)(1 − n²),
 * dr = dn ⊙ (r_n h + b') r(1 − r), and r_n h + b' has dn ⊙ r; all but dh is known before the way back through time, which
 * is left with one product a step: dh of h = [dz dr dn⊙r]·r + dh ⊙ z.
 */
export function gru(t: Tape, x: Value, parts: GruParts, { lengths, give = 'last' }: RecurrentOptions = {}): Value {
  const g = t.graph;
  const xs = timeFirst(g, x);
  const [time = 1, n = 1] = xs.shape;
  const hidden = Number(emit.dimOf(parts.r, 1));
  const [states, last] = [g.value([time, 1, n, hidden]), g.value([1, n, hidden])];
  const weights = [parts.w, parts.r, parts.b].map((v) => emit.reshape(g, v, [1, ...v.shape]));
  const attributes = { hidden_size: hidden, linear_before_reset: 1 };
  g.nodeInto('GRU', [xs, ...weights, lengths ?? absent], [states, last], { attributes });

  const all = emit.reshape(g, states, [time, n, hidden]);
  const y = give === 'all' ? timeFirst(g, all) : emit.reshape(g, last, [n, hidden]);
  return t.record(y, [x, parts.w, parts.r, parts.b], (dy, needs) => {
    const [xRows, hRows] = [emit.flatten(g, xs), emit.flatten(g, before(g, all))];
    const arrived = arriving(g, dy, { x: xs, hidden, give, ...(lengths === undefined ? {} : { lengths }) });
    const { ofX, ofH } = backward(g, { x: xRows, h: hRows, states: all, arrived }, parts);
    const column = (v: Value): Value => emit.reshape(g, emit.reduce(g, 'ReduceSum', v, [0]), [3 * hidden]);
    return [
      needs(x) ? timeFirst(g, emit.reshape(g, emit.matmul(g, ofX, parts.w), xs.shape)) : null,
      emit.matmul(g, ofX, xRows, { ta: true }),
      emit.matmul(g, ofH, hRows, { ta: true }),
      emit.concat(g, [column(ofX), column(ofH)], 0),
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

/** Gradients of w·x + b and of r·h + b' for all steps, [T·N, 3H] each. */
function backward(g: Graph, { x, h, states, arrived: { start, added } }: Course, parts: GruParts) {
  const [time = 1, n = 1] = states.shape;
  const hidden = Number(emit.dimOf(states, 2));
  const { ofPre, ofN, z } = factorsOf(g, { x, h }, parts);
  const each = [emit.reshape(g, ofPre, [time, n, 3, hidden]), emit.reshape(g, z, states.shape), ...added];
  const [dh, dPre] = scan(g, `${states.name}.back`, {
    direction: 'backward',
    carried: [start],
    each,
    step: (body, [carried = start], [factors = start, keeps = start, own]) => {
      const total = own === undefined ? emit.unary(body, 'Identity', carried) : emit.add(body, carried, own);
      const spread = emit.mul(body, emit.reshape(body, total, [n, 1, hidden]), factors);
      const pre = emit.reshape(body, spread, [n, 3 * hidden]);
      const earlier = emit.add(body, emit.matmul(body, pre, parts.r), emit.mul(body, total, keeps));
      return { carried: [earlier], kept: [total, pre] };
    },
  });
  const ofH = emit.flatten(g, dPre ?? start);
  const ofCandidate = emit.mul(g, emit.flatten(g, dh ?? start), ofN);
  return { ofH, ofX: emit.concat(g, [emit.slice(g, ofH, 1, 0, 2 * hidden), ofCandidate], 1) };
}

/** Of all steps at once, [T·N, ·]: what dh is multiplied by on its way to the gates' inputs. */
function factorsOf(g: Graph, { x, h }: { x: Value; h: Value }, { w, r, b }: GruParts) {
  const hidden = Number(emit.dimOf(r, 1));
  const rows = (v: Value, from: number, to: number): Value => emit.slice(g, v, 0, from * hidden, to * hidden);
  const both = emit.affine(g, x, rows(w, 0, 2), emit.add(g, rows(b, 0, 2), rows(b, 3, 5)));
  const open = emit.unary(g, 'Sigmoid', emit.affine(g, h, rows(r, 0, 2), both));
  const [z, reset] = [emit.slice(g, open, 1, 0, hidden), emit.slice(g, open, 1, hidden, 2 * hidden)];
  const recalled = emit.affine(g, h, rows(r, 2, 3), rows(b, 5, 6));
  const sum = emit.add(g, emit.affine(g, x, rows(w, 2, 3), rows(b, 2, 3)), emit.mul(g, reset, recalled));
  const n = emit.unary(g, 'Tanh', sum);

  const one = g.scalar(1);
  const renewed = emit.sub(g, one, z);
  const ofN = emit.mul(g, renewed, emit.sub(g, one, emit.mul(g, n, n)));
  const ofZ = emit.mul(g, emit.sub(g, h, n), emit.mul(g, z, renewed));
  const ofRecalled = emit.mul(g, ofN, reset);
  const ofReset = emit.mul(g, ofRecalled, emit.mul(g, recalled, emit.sub(g, one, reset)));
  return { z, ofN, ofPre: emit.concat(g, [ofZ, ofReset, ofRecalled], 1) };
}
