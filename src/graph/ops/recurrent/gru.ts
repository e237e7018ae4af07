import * as emit from '../../emit.ts';
import type { Graph, Value } from '../../graph.ts';
import { type BackwardPass, type RecurrentParts, recurrent } from './recurrent.ts';
import { scan, zeroState } from './sequence.ts';

/**
 * Gated recurrent unit (Cho et al. 2014; the reset after the product, as in cuDNN), gates z, r, n:
 * z = σ(w_z x + r_z h + b), r = σ(w_r x + r_r h + b), n = tanh(w_n x + b + r ⊙ (r_n h + b')), h' = (1 − z) ⊙ n + z ⊙ h.
 *
 * Training uses a Scan that returns the gates: ONNX's fused operator returns none, and computing them again made a step a
 * quarter longer. With dh of h', the gates' inputs have the gradients dz = dh ⊙ (h − n) z(1 − z), dn = dh ⊙ (1 − z)(1 − n²),
 * dr = dn ⊙ (r_n h + b') r(1 − r), and r_n h + b' has dn ⊙ r; all but dh is known before the backward pass through
 * time, which then has one product a step: dh of h = [dz dr dn⊙r]·r + dh ⊙ z.
 */
export const gru = recurrent<GruGates>({
  operator: 'GRU',
  attributes: { linear_before_reset: 1 },
  biases: 2,
  forward,
  backward,
});

/** After each step, [T, N, ·]. */
interface GruGates {
  states: Value;
  /** z and r concatenated. */
  updateReset: Value;
  /** r_n h + b' */
  hiddenTerm: Value;
  /** n */
  candidate: Value;
}

function forward(g: Graph, x: Value, { w, r, b }: RecurrentParts): GruGates {
  const [time = 1, n = 1] = x.shape;
  const hidden = Number(emit.dimOf(r, 1));
  const rows = (v: Value, from: number, to: number): Value => emit.slice(g, v, 0, from * hidden, to * hidden);
  const ofX = (from: number, to: number, bias: Value): Value =>
    emit.reshape(g, emit.affine(g, emit.flatten(g, x), rows(w, from, to), bias), [time, n, (to - from) * hidden]);
  const recurrentWeights = (from: number, to: number): Value => emit.transpose(g, rows(r, from, to), [1, 0]);
  const [rOpen, rCandidate] = [recurrentWeights(0, 2), recurrentWeights(2, 3)];
  const bias = rows(b, 5, 6);
  const start = zeroState(g, Number(n), hidden);
  const [states = x, updateReset = x, hiddenTerm = x, candidate = x] = scan(g, `${x.name}.gru`, {
    direction: 'forward',
    carried: [start],
    each: [ofX(0, 2, emit.add(g, rows(b, 0, 2), rows(b, 3, 5))), ofX(2, 3, rows(b, 2, 3))],
    step: (body, [h = start], [toOpen = start, toCandidate = start]) => {
      const both = emit.unary(body, 'Sigmoid', emit.add(body, emit.matmul(body, h, rOpen), toOpen));
      const [z, reset] = [emit.slice(body, both, 1, 0, hidden), emit.slice(body, both, 1, hidden, 2 * hidden)];
      const past = emit.add(body, emit.matmul(body, h, rCandidate), bias);
      const fresh = emit.unary(body, 'Tanh', emit.add(body, toCandidate, emit.mul(body, reset, past)));
      const next = emit.add(body, fresh, emit.mul(body, z, emit.sub(body, h, fresh)));
      return { carried: [next], saved: [emit.unary(body, 'Identity', next), both, past, fresh] };
    },
  });
  return { states, updateReset, hiddenTerm, candidate };
}

function backward(g: Graph, gates: GruGates, { parts, h, gradient: { start, added } }: BackwardPass) {
  const { states } = gates;
  const [time = 1, n = 1] = states.shape;
  const hidden = Number(emit.dimOf(states, 2));
  const { ofPre, ofN, z } = factorsOf(g, { ...gates, h }, hidden);
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
      return { carried: [earlier], saved: [total, pre] };
    },
  });
  const ofH = emit.flatten(g, dPre ?? start);
  const ofCandidate = emit.mul(g, emit.flatten(g, dh ?? start), ofN);
  return { ofH, ofX: emit.concat(g, [emit.slice(g, ofH, 1, 0, 2 * hidden), ofCandidate], 1) };
}

/** Of all steps at once, [T·N, ·]: what dh is multiplied by on its way to the gates' inputs. */
function factorsOf(g: Graph, { updateReset, h, ...gates }: GruGates & { h: Value }, hidden: number) {
  const both = emit.flatten(g, updateReset);
  const [z, reset] = [emit.slice(g, both, 1, 0, hidden), emit.slice(g, both, 1, hidden, 2 * hidden)];
  const [hiddenTerm, n] = [emit.flatten(g, gates.hiddenTerm), emit.flatten(g, gates.candidate)];
  const one = g.scalar(1);
  const oneMinusZ = emit.sub(g, one, z);
  const ofN = emit.mul(g, oneMinusZ, emit.sub(g, one, emit.mul(g, n, n)));
  const ofZ = emit.mul(g, emit.sub(g, h, n), emit.mul(g, z, oneMinusZ));
  const ofRecalled = emit.mul(g, ofN, reset);
  const ofReset = emit.mul(g, ofRecalled, emit.mul(g, hiddenTerm, emit.sub(g, one, reset)));
  return { z, ofN, ofPre: emit.concat(g, [ofZ, ofReset, ofRecalled], 1) };
}
