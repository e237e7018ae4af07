import * as emit from '../../emit.ts';
import { elementTypes, Graph, type Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';

/** Options of recurrent ops. Internally time is the first axis, [T, N, I], as in ONNX's operators. */
export interface RecurrentOptions {
  /** Steps of each sequence, [N] int32, at least 1; the rest is padding, which changes no state. T if not given. */
  lengths?: Value;
  /** `last`: the state after a sequence's last step, [N, H]. `all`: the states after each step, [N, T, H], zeros in the padding. */
  output?: 'last' | 'all';
}

/** Steps of each sequence of ids [N, T], [N] int32, at least 1; a step takes `every` ids. Padding, id 0, only follows a sequence. */
export function sequenceLengths({ graph: g }: Tape, ids: Value, every = 1): Value {
  const present = emit.cast(g, emit.cast(g, ids, 'bool', elementTypes.bool), 'float32', elementTypes.float32);
  const count = emit.reshape(g, emit.reduce(g, 'ReduceSum', present, [1]), [emit.dimOf(ids, 0)]);
  const steps = every === 1 ? count : emit.unary(g, 'Ceil', emit.mul(g, count, g.scalar(1 / every)));
  return emit.cast(g, emit.binary(g, 'Max', steps, g.scalar(1)), 'int32', elementTypes.int32);
}

/** [N, T, ·] ↔ [T, N, ·] */
export const timeFirst = (g: Graph, x: Value): Value => emit.transpose(g, x, [1, 0, 2]);

/** One forward or backward pass through time. */
export interface SequencePass extends RecurrentOptions {
  /** [T, N, I] */
  x: Value;
  hidden: number;
}

/** Gradient of the states: `start` [N, H] of the last step's, and what each step adds to its own, [T, N, H]. */
export interface StateGradient {
  start: Value;
  added: Value[];
}

/**
The gradient of the states from dy, the gradient of a recurrent op's output; zero in the padding.
 */
export function stateGradient(g: Graph, dy: Value, { x, hidden, lengths, output }: SequencePass): StateGradient {
  const n = emit.dimOf(x, 1);
  if (output === 'last' && lengths === undefined) return { start: dy, added: [] };
  const start = zeroState(g, Number(n), hidden);
  const stepGradients = output === 'last' ? dy : timeFirst(g, dy);
  return {
    start,
    added: [lengths === undefined ? stepGradients : emit.mul(g, stepGradients, stepMask(g, x, { lengths, output }))],
  };
}

/** A recurrent op's output from the states after each step, [T, N, H]: [N, H] or [N, T, H]. */
export function recurrentOutput(g: Graph, states: Value, { x, hidden, lengths, output }: SequencePass): Value {
  const n = emit.dimOf(x, 1);
  const chosen = lengths === undefined ? states : emit.mul(g, states, stepMask(g, x, { lengths, output }));
  if (output === 'all') return timeFirst(g, chosen);
  const last = lengths === undefined ? emit.slice(g, states, 0, -1) : emit.reduce(g, 'ReduceSum', chosen, [0]);
  return emit.reshape(g, last, [n, hidden]);
}

/** 1 for the steps in the output, a sequence's last or all of its own, else 0: [T, N, 1]. */
function stepMask(
  g: Graph,
  x: Value,
  { lengths, output }: { lengths: Value; output: RecurrentOptions['output'] },
): Value {
  const [time = 1, n = 1] = x.shape;
  const [op, bound] = output === 'last' ? (['Equal', lastSteps(g, lengths)] as const) : (['Less', lengths] as const);
  const mask = g.node(op, [steps(g, x), bound], [time, n], { dtype: 'bool' });
  return emit.reshape(g, emit.cast(g, mask, 'float32', elementTypes.float32), [time, n, 1]);
}

const lastSteps = (g: Graph, lengths: Value): Value =>
  g.node('Sub', [lengths, int32(g, 1)], lengths.shape, { dtype: 'int32' });

/** 0, 1, … T − 1: [T, 1]. */
function steps(g: Graph, x: Value): Value {
  const [time = 1] = x.shape;
  const shape = g.node('Shape', [x], [3], { dtype: 'int64' });
  const count = emit.cast(g, emit.reshape(g, emit.slice(g, shape, 0, 0, 1), []), 'int32', elementTypes.int32);
  const range = g.node('Range', [int32(g, 0), count, int32(g, 1)], [time], { dtype: 'int32' });
  return emit.reshape(g, range, [time, 1]);
}

const int32 = (g: Graph, value: number): Value =>
  g.shared(`int32 ${value}`, () => g.constant(Int32Array.of(value), [], { dtype: 'int32' }));

/** The states before each step, zeros before the first: [T, N, H]. */
export function previousStates(g: Graph, states: Value): Value {
  const shifted = emit.slice(g, emit.pad(g, states, 0, 1, 0), 0, 0, -1);
  return { ...shifted, shape: states.shape };
}

interface SequenceScan {
  direction: 'forward' | 'backward';
  /** Passed from step to step. */
  carried: readonly Value[];
  /** [T, …] each; a step gets its entry. */
  each: readonly Value[];
  /** Returns what is passed to the next step, and what is saved of this one. */
  step(body: Graph, carried: Value[], each: Value[]): { carried: Value[]; saved: Value[] };
}

/** Emits ONNX's Scan over time; returns what the steps save, [T, …] each. */
export function scan(g: Graph, name: string, { direction, carried, each, step }: SequenceScan): Value[] {
  const [time = 1] = each[0]?.shape ?? [];
  const body = new Graph(name);
  const carriedInputs = carried.map(({ shape }, i) => body.input(`${name}.carried${i}`, shape));
  const stepInputs = each.map(({ shape }, i) => body.input(`${name}.each${i}`, shape.slice(1)));
  const results = step(body, carriedInputs, stepInputs);
  for (const value of [...results.carried, ...results.saved]) body.output(value);

  const last = results.carried.map(({ shape }) => g.value(shape));
  const saved = results.saved.map(({ shape }) => g.value([time, ...shape]));
  const onnxDirection = direction === 'backward' ? 1 : 0;
  const attributes = {
    body: { graph: body },
    num_scan_inputs: each.length,
    scan_input_directions: each.map(() => onnxDirection),
    scan_output_directions: saved.map(() => onnxDirection),
  };
  g.nodeInto('Scan', [...carried, ...each], [...last, ...saved], { attributes });
  return saved;
}

/** Zeros for a batch's state, [N, H]. */
export const zeroState = (g: Graph, n: number, hidden: number): Value =>
  g.shared(`state ${n} ${hidden}`, () => g.constant(new Float32Array(n * hidden), [n, hidden]));
