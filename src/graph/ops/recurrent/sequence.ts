import * as emit from '../../emit.ts';
import { elementTypes, Graph, type Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';

/** What recurrent ops have in common. Inside they have time first, [T, N, I], as ONNX's operators do. */
export interface RecurrentOptions {
  /** Steps that each text has, [N] int32, at least 1; the rest is padding, which moves no state. All T where not given. */
  lengths?: Value;
  /** `last`: the state after a text's last step, [N, H]. `all`: the states after each, [N, T, H], zeros in the padding. */
  give?: 'last' | 'all';
}

/** Steps of each text, [N] int32, where a step takes `every` ids: padding, id 0, comes only after a text. At least 1. */
export function textLengths({ graph: g }: Tape, ids: Value, every = 1): Value {
  const present = emit.cast(g, emit.cast(g, ids, 'bool', elementTypes.bool), 'float32', elementTypes.float32);
  const count = emit.reshape(g, emit.reduce(g, 'ReduceSum', present, [1]), [emit.dimOf(ids, 0)]);
  const steps = every === 1 ? count : emit.unary(g, 'Ceil', emit.mul(g, count, g.scalar(1 / every)));
  return emit.cast(g, emit.binary(g, 'Max', steps, g.scalar(1)), 'int32', elementTypes.int32);
}

/** [N, T, ·] ↔ [T, N, ·] */
export const timeFirst = (g: Graph, x: Value): Value => emit.transpose(g, x, [1, 0, 2]);

/** One way through time. */
export interface SequencePass extends RecurrentOptions {
  /** [T, N, I] */
  x: Value;
  hidden: number;
}

/** What the last step of the way back begins with, and what each step adds, [T, N, H]. */
export interface Arrival {
  start: Value;
  added: Value[];
}

/**
 * Where the gradient dy of what a recurrent op gave meets the way back through time. Nothing arrives in the padding, so
 * nothing moves there.
 */
export function arriving(g: Graph, dy: Value, { x, hidden, lengths, give }: SequencePass): Arrival {
  const n = emit.dimOf(x, 1);
  if (give === 'last' && lengths === undefined) return { start: dy, added: [] };
  const start = noState(g, Number(n), hidden);
  const own = give === 'last' ? dy : timeFirst(g, dy);
  return { start, added: [lengths === undefined ? own : emit.mul(g, own, chosenSteps(g, x, { lengths, give }))] };
}

/** What a recurrent op gives of the states after each step, [T, N, H]: [N, H] or [N, T, H]. */
export function givenOf(g: Graph, states: Value, { x, hidden, lengths, give }: SequencePass): Value {
  const n = emit.dimOf(x, 1);
  const chosen = lengths === undefined ? states : emit.mul(g, states, chosenSteps(g, x, { lengths, give }));
  if (give === 'all') return timeFirst(g, chosen);
  const last = lengths === undefined ? emit.slice(g, states, 0, -1) : emit.reduce(g, 'ReduceSum', chosen, [0]);
  return emit.reshape(g, last, [n, hidden]);
}

/** 1 for the steps that are given, a text's last or all of its own, else 0: [T, N, 1]. */
function chosenSteps(g: Graph, x: Value, { lengths, give }: { lengths: Value; give: RecurrentOptions['give'] }): Value {
  const [time = 1, n = 1] = x.shape;
  const [op, bound] = give === 'last' ? (['Equal', lastSteps(g, lengths)] as const) : (['Less', lengths] as const);
  const chosen = g.node(op, [steps(g, x), bound], [time, n], { dtype: 'bool' });
  return emit.reshape(g, emit.cast(g, chosen, 'float32', elementTypes.float32), [time, n, 1]);
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

/** What the states were before each step, zeros before the first: [T, N, H]. */
export function before(g: Graph, states: Value): Value {
  const shifted = emit.slice(g, emit.pad(g, states, 0, 1, 0), 0, 0, -1);
  return { ...shifted, shape: states.shape };
}

interface SequenceScan {
  direction: 'forward' | 'backward';
  /** What a step hands to the next. */
  carried: readonly Value[];
  /** [T, …]; a step takes its part. */
  each: readonly Value[];
  /** What goes on to the next step, and what is kept of this one. */
  step(body: Graph, carried: Value[], each: Value[]): { carried: Value[]; kept: Value[] };
}

/** Goes through time; what the steps keep comes back as [T, …]. */
export function scan(g: Graph, name: string, { direction, carried, each, step }: SequenceScan): Value[] {
  const [time = 1] = each[0]?.shape ?? [];
  const body = new Graph(name);
  const holds = carried.map(({ shape }, i) => body.input(`${name}.carried${i}`, shape));
  const takes = each.map(({ shape }, i) => body.input(`${name}.each${i}`, shape.slice(1)));
  const made = step(body, holds, takes);
  for (const value of [...made.carried, ...made.kept]) body.output(value);

  const last = made.carried.map(({ shape }) => g.value(shape));
  const kept = made.kept.map(({ shape }) => g.value([time, ...shape]));
  const way = direction === 'backward' ? 1 : 0;
  const attributes = {
    body: { graph: body },
    num_scan_inputs: each.length,
    scan_input_directions: each.map(() => way),
    scan_output_directions: kept.map(() => way),
  };
  g.nodeInto('Scan', [...carried, ...each], [...last, ...kept], { attributes });
  return kept;
}

/** Zeros for a batch's state, [N, H]. */
export const noState = (g: Graph, n: number, hidden: number): Value =>
  g.shared(`state ${n} ${hidden}`, () => g.constant(new Float32Array(n * hidden), [n, hidden]));
