import * as emit from '../../emit.ts';
import type { Graph, Value } from '../../graph.ts';
import { type BackwardPass, type RecurrentParts, recurrent } from './recurrent.ts';
import { previousStates, scan, zeroState } from './sequence.ts';

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), gates i, o, f, c. With
 * a = w x + r h + b: i, o, f = σ(a_i), σ(a_o), σ(a_f), g = tanh(a_c), c' = f ⊙ c + i ⊙ g, h' = o ⊙ tanh c'.
 *
 * Training uses a Scan that returns gates and cells, which ONNX's fused operator does not. In the backward pass
 * dc' = dc + dh ⊙ o(1 − tanh² c'), and a has the gradients da_i = dc' ⊙ g i(1 − i), da_o = dh ⊙ tanh c' o(1 − o),
 * da_f = dc' ⊙ c f(1 − f), da_c = dc' ⊙ i(1 − g²); the step before gets dc = dc' ⊙ f and dh = da·r.
 */
export const lstm = recurrent<LstmGates>({ operator: 'LSTM', biases: 1, forward, backward });

/** After each step, [T, N, ·]. */
interface LstmGates {
  states: Value;
  /** i, o and f concatenated. */
  sigmoidGates: Value;
  /** g */
  candidate: Value;
  cells: Value;
}

function forward(g: Graph, x: Value, { w, r, b }: RecurrentParts): LstmGates {
  const [time = 1, n = 1] = x.shape;
  const hidden = Number(emit.dimOf(r, 1));
  const start = zeroState(g, Number(n), hidden);
  const recurrentWeights = emit.transpose(g, r, [1, 0]);
  const [states = x, sigmoidGates = x, candidate = x, cells = x] = scan(g, `${x.name}.lstm`, {
    direction: 'forward',
    carried: [start, start],
    each: [emit.reshape(g, emit.affine(g, emit.flatten(g, x), w, b), [time, n, 4 * hidden])],
    step: (body, [h = start, c = start], [ofX = start]) => {
      const part = (v: Value, from: number, to = from + 1): Value => emit.slice(body, v, 1, from * hidden, to * hidden);
      const sums = emit.add(body, emit.matmul(body, h, recurrentWeights), ofX);
      const gates = emit.unary(body, 'Sigmoid', part(sums, 0, 3));
      const fresh = emit.unary(body, 'Tanh', part(sums, 3));
      const cell = emit.add(body, emit.mul(body, part(gates, 2), c), emit.mul(body, part(gates, 0), fresh));
      const next = emit.mul(body, part(gates, 1), emit.unary(body, 'Tanh', cell));
      const copy = (v: Value): Value => emit.unary(body, 'Identity', v);
      return { carried: [next, cell], saved: [copy(next), gates, fresh, copy(cell)] };
    },
  });
  return { states, sigmoidGates, candidate, cells };
}

function backward(g: Graph, gates: LstmGates, { parts: { r }, gradient: { start, added } }: BackwardPass) {
  const { states } = gates;
  const [n = 1, hidden = 1] = states.shape.slice(1).map(Number);
  const [pre = start] = scan(g, `${states.name}.back`, {
    direction: 'backward',
    carried: [start, zeroState(g, n, hidden)],
    each: [...factorsOf(g, gates), ...added],
    step: (body, [dh = start, dc = start], [ofOutput = start, ofState = start, ofCell = start, f = start, own]) => {
      const total = own === undefined ? dh : emit.add(body, dh, own);
      const cell = emit.add(body, dc, emit.mul(body, total, ofState));
      const spread = emit.mul(body, emit.reshape(body, cell, [n, 1, hidden]), ofCell);
      const output = emit.reshape(body, emit.mul(body, total, ofOutput), [n, 1, hidden]);
      const [i, rest] = [emit.slice(body, spread, 1, 0, 1), emit.slice(body, spread, 1, 1, 3)];
      const pre = emit.reshape(body, emit.concat(body, [i, output, rest], 1), [n, 4 * hidden]);
      return { carried: [emit.matmul(body, pre, r), emit.mul(body, cell, f)], saved: [pre] };
    },
  });
  const da = emit.flatten(g, pre);
  return { ofX: da, ofH: da };
}

/** Of all steps, what dh is multiplied by for the output gate and for the cell, [T, N, H], dc' for the other gates, [T, N, 3, H], and f. */
function factorsOf(g: Graph, { states, cells, ...gates }: LstmGates): Value[] {
  const [time = 1, n = 1] = states.shape;
  const hidden = Number(emit.dimOf(states, 2));
  const [sigmoidGates, candidate] = [emit.flatten(g, gates.sigmoidGates), emit.flatten(g, gates.candidate)];
  const part = (from: number): Value => emit.slice(g, sigmoidGates, 1, from * hidden, (from + 1) * hidden);
  const [i, o, f] = [part(0), part(1), part(2)];
  const steps = (v: Value, ...shape: number[]): Value => emit.reshape(g, v, [time, n, ...shape, hidden]);
  const cellTanh = emit.unary(g, 'Tanh', emit.flatten(g, cells));
  const one = g.scalar(1);
  const slope = (gate: Value): Value => emit.mul(g, gate, emit.sub(g, one, gate));
  const tanhSlope = (v: Value): Value => emit.sub(g, one, emit.mul(g, v, v));
  const ofCell = emit.concat(
    g,
    [
      emit.mul(g, candidate, slope(i)),
      emit.mul(g, emit.flatten(g, previousStates(g, cells)), slope(f)),
      emit.mul(g, i, tanhSlope(candidate)),
    ],
    1,
  );
  return [
    steps(emit.mul(g, cellTanh, slope(o))),
    steps(emit.mul(g, o, tanhSlope(cellTanh))),
    steps(ofCell, 3),
    steps(f),
  ];
}
