import * as emit from '../../emit.ts';
import { absent, type Graph, type Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';
import {
  previousStates,
  type RecurrentOptions,
  recurrentOutput,
  type SequencePass,
  type StateGradient,
  stateGradient,
  timeFirst,
} from './sequence.ts';

/** Weights of K gates, stacked by rows in the order of ONNX's operator. */
export interface RecurrentParts {
  /** [KH, I] */
  w: Value;
  /** [KH, H] */
  r: Value;
  /** [KH], or [2KH] if r·h has a bias of its own. */
  b: Value;
}

/** What one kind of recurrent layer does differently from another. */
export interface RecurrentCell<Saved extends { states: Value }> {
  /** ONNX's fused operator, for inference: it returns no intermediate values for a backward pass. */
  operator: 'GRU' | 'LSTM';
  attributes?: Record<string, number>;
  biases: 1 | 2;
  /** From x [T, N, I]: the states after each step, [T, N, H], and what else the backward pass needs. */
  forward(g: Graph, x: Value, parts: RecurrentParts): Saved;
  /** Gradients of w·x + b and of r·h + b' for all steps, [T·N, KH] each. */
  backward(g: Graph, saved: Saved, pass: BackwardPass): { ofX: Value; ofH: Value };
}

export interface BackwardPass {
  parts: RecurrentParts;
  /** The states before each step, [T·N, H]. */
  h: Value;
  gradient: StateGradient;
}

/** x [N, T, I] → h [N, H] or [N, T, H]. */
export const recurrent =
  <Saved extends { states: Value }>(cell: RecurrentCell<Saved>) =>
  (t: Tape, x: Value, parts: RecurrentParts, options: RecurrentOptions = {}): Value => {
    const g = t.graph;
    const { w, r, b } = parts;
    const inputs = [x, w, r, b];
    const xs = timeFirst(g, x);
    const pass: SequencePass = { output: 'last', ...options, x: xs, hidden: Number(emit.dimOf(r, 1)) };
    if (!t.training || t.engineGradients) return t.record(fused(g, cell, { parts, pass }), inputs, () => []);
    const saved = cell.forward(g, xs, parts);
    return t.record(recurrentOutput(g, saved.states, pass), inputs, (dy, needs) => {
      const h = emit.flatten(g, previousStates(g, saved.states));
      const { ofX, ofH } = cell.backward(g, saved, { parts, h, gradient: stateGradient(g, dy, pass) });
      const ofBiases = cell.biases === 1 ? ofX : emit.concat(g, [ofX, ofH], 1);
      return [
        needs(x) ? timeFirst(g, emit.reshape(g, emit.matmul(g, ofX, w), xs.shape)) : null,
        emit.matmul(g, ofX, emit.flatten(g, xs), { ta: true }),
        emit.matmul(g, ofH, h, { ta: true }),
        emit.reshape(g, emit.reduce(g, 'ReduceSum', ofBiases, [0]), b.shape),
      ];
    });
  };

function fused(
  g: Graph,
  { operator, attributes, biases }: Pick<RecurrentCell<never>, 'operator' | 'attributes' | 'biases'>,
  { parts: { w, r, b }, pass: { x, hidden, lengths, output } }: { parts: RecurrentParts; pass: SequencePass },
): Value {
  const [time = 1, n = 1] = x.shape;
  const both = biases === 2 ? b : emit.pad(g, b, 0, 0, Number(emit.dimOf(b, 0)));
  const weights = [w, r, both].map((v) => emit.reshape(g, v, [1, ...v.shape]));
  const [states, last] = [g.value([time, 1, n, hidden]), g.value([1, n, hidden])];
  g.nodeInto(operator, [x, ...weights, lengths ?? absent], [states, last], {
    attributes: { hidden_size: hidden, ...attributes },
  });
  if (output === 'last') return emit.reshape(g, last, [n, hidden]);
  return timeFirst(g, emit.reshape(g, states, [time, n, hidden]));
}
