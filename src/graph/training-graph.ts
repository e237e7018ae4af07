import * as emit from './emit.ts';
import { elementTypes, Graph, type Shape, type Value } from './graph.ts';
import { type Network, type ParameterSpec, Values } from './network.ts';
import { encodeModel } from './onnx.ts';
import { softmaxCrossEntropy } from './ops/softmax-cross-entropy.ts';
import type { Hypers, Optimiser } from './optimisers/optimiser.ts';
import { Tape } from './tape.ts';

/** What the host must know to feed a training graph. */
export interface TrainingGraph {
  model: Uint8Array;
  /** Shapes of the uniform noise that each step consumes, in order: fed as `noise.0`, `noise.1`, … */
  noise: number[][];
}

/** Names of the graph's inputs and outputs, shared with the host. `K` is the number of steps of a run. */
export const feed = {
  steps: 'steps',
  input: (name: string): string => `input.${name}`,
  bounds: (name: string): string => `bounds.${name}`,
  targets: 'targets',
  learningRate: 'learning_rate',
  stepSize: 'step_size',
  momentum: 'momentum',
  weightDecay: 'weight_decay',
  dropout: 'dropout',
  noise: (index: number): string => `noise.${index}`,
  rows: (parameter: string): string => `rows.${parameter}`,
  state: (tensor: string): string => `in.${tensor}`,
} as const;
export const result = { state: (tensor: string): string => `out.${tensor}`, losses: 'losses' } as const;

/** A parameter's tensors: the weight under the parameter's name, then the optimiser's slots where it moves the weight. */
export function stateNames(parameter: string, { follows }: ParameterSpec, optimiser: Optimiser): string[] {
  const slots = follows ? [] : optimiser.slots;
  return [parameter, ...slots.map((slot) => `${parameter}/${slot}`)];
}

/** Whether steps of one run may differ in this input's shape. */
export const isRagged = (shape: Shape): boolean => shape.some((dim) => typeof dim === 'string');

export interface TrainingPlan {
  network: Network;
  optimiser: Optimiser;
  /** Rows of a step. */
  batch: number;
  /** Threads that will run the graph. */
  threads: number;
  /** Channels in a block of an image's memory; 1 is plain NCHW. */
  block: number;
}

/**
 * K optimiser steps as one ONNX Loop: forward, gradients and update in the body, weights and slots carried from step to
 * step. One run of K steps moves the state in and out once; a run per step would copy it each time (15 ms for 30 MB).
 */
export function buildTraining(plan: TrainingPlan): TrainingGraph {
  const outer = new Graph('train');
  const body = new Graph('step');
  const step = new StepInputs(outer, body);
  const scalars = {
    momentum: outer.input(feed.momentum, []),
    weightDecay: outer.input(feed.weightDecay, []),
    dropout: outer.input(feed.dropout, []),
  };
  const going = body.input('going', [], 'bool');
  const states = Object.entries(plan.network.parameters).map(([name, spec]) =>
    carriedOf(name, spec, plan, { outer, body }),
  );

  const { loss, moved } = emitStep(plan, { body, step, states, scalars });
  body.output(body.node('Identity', [going], [], { dtype: 'bool' }));
  for (const value of moved) body.output(value);
  body.output(loss);

  const always = outer.constant(Uint8Array.of(1), [], { dtype: 'bool' });
  const entering = states.flatMap((state) => state.entering);
  const leaving = states.flatMap((state) => state.leaving);
  const losses: Value = { name: result.losses, shape: ['K'], dtype: 'float32' };
  const attributes = { body: { graph: body } };
  outer.nodeInto('Loop', [step.count, always, ...entering], [...leaving, losses], { attributes });
  for (const value of [...leaving, losses]) outer.output(value);
  return { model: encodeModel(outer), noise: step.noiseShapes };
}

/** Inputs with one entry for each step: the body picks its own. */
class StepInputs {
  readonly count: Value;
  readonly noiseShapes: number[][] = [];
  readonly #outer: Graph;
  readonly #body: Graph;
  readonly #step: Value;

  constructor(outer: Graph, body: Graph) {
    this.#outer = outer;
    this.#body = body;
    this.count = outer.input(feed.steps, [], 'int64');
    this.#step = body.input('step', [], 'int64');
  }

  take(name: string, shape: Shape, dtype: Value['dtype'] = 'float32'): Value {
    const all = this.#outer.input(name, ['K', ...shape], dtype);
    return emit.gather(this.#body, all, this.#step);
  }

  /**
   * An input whose length differs from step to step: the steps lie end to end, `bounds` [K, 2] says where each begins and
   * ends. A short step then costs what it is long, not what the longest of the run is.
   */
  takeRagged(name: string, shape: Shape, dtype: Value['dtype']): Value {
    const body = this.#body;
    const all = this.#outer.input(feed.input(name), [`all ${name}`], dtype);
    const bounds = this.take(feed.bounds(name), [2], 'int64');
    const [start, end] = [emit.slice(body, bounds, 0, 0, 1), emit.slice(body, bounds, 0, 1, 2)];
    const own = body.node('Slice', [all, start, end, body.ints([0])], [`own ${name}`], { dtype });
    return emit.reshape(body, own, shape);
  }

  noise(shape: Shape): Value {
    const index = this.noiseShapes.push(shape.map(Number)) - 1;
    return this.take(feed.noise(index), shape);
  }
}

/** A parameter on its way through the loop. */
interface Carried {
  name: string;
  spec: ParameterSpec;
  entering: Value[];
  held: Value[];
  leaving: Value[];
}

function carriedOf(
  name: string,
  spec: ParameterSpec,
  plan: TrainingPlan,
  graphs: { outer: Graph; body: Graph },
): Carried {
  const names = stateNames(name, spec, plan.optimiser);
  const shape = spec.rowsOf === undefined ? spec.shape : [`rows of ${name}`, ...spec.shape.slice(1)];
  return {
    name,
    spec,
    entering: names.map((tensor) => graphs.outer.input(feed.state(tensor), shape)),
    held: names.map((tensor) => graphs.body.input(`held.${tensor}`, shape)),
    leaving: names.map((tensor) => ({ name: result.state(tensor), shape, dtype: 'float32' as const })),
  };
}

interface StepParts {
  body: Graph;
  step: StepInputs;
  states: readonly Carried[];
  scalars: { momentum: Value; weightDecay: Value; dropout: Value };
}

function emitStep(
  { network, optimiser, batch, threads, block }: TrainingPlan,
  { body, step, states, scalars }: StepParts,
) {
  const hypers: Hypers = {
    ...scalars,
    learningRate: step.take(feed.learningRate, []),
    stepSize: step.take(feed.stepSize, []),
  };
  const inputs = Object.entries(network.inputs).map(([name, { shape, dtype }]) => {
    const whole = [batch, ...shape];
    return [
      name,
      isRagged(shape) ? step.takeRagged(name, whole, dtype) : step.take(feed.input(name), whole, dtype),
    ] as const;
  });
  const used = states.map((state) => ({ ...state, ...rowsInUse(body, step, state) }));

  const tape = Tape.forTraining(body, { noise: (shape) => step.noise(shape), threaded: threads > 1, block });
  const parameters = new Values(used.map(({ name, active }) => [name, active[0] as Value]));
  const logits = network.logits(tape, new Values(inputs), parameters, scalars.dropout);
  const loss = softmaxCrossEntropy(tape, logits, step.take(feed.targets, [batch, network.classes]));
  const trained = used.filter(({ spec }) => !spec.follows);
  const weights = trained.map(({ active }) => active[0] as Value);
  const gradients = new Map(tape.gradients(loss, weights).map((gradient, i) => [trained[i]?.name, gradient]));

  const moved = used.flatMap(({ name, active, writeBack }) => {
    const [weight, ...slots] = active as [Value, ...Value[]];
    const gradient = gradients.get(name);
    if (gradient === undefined) return [tape.next(weight)];
    const next = optimiser.update(body, weight, gradient, slots, hypers);
    return [next.weight, ...next.slots].map(writeBack);
  });
  return { loss, moved };
}

interface RowsInUse {
  /** The weight and its slots as the step sees them: of a table, only the rows that the batch names. */
  active: Value[];
  writeBack: (value: Value, tensor: number) => Value;
}

/**
 * Cuts a table down to the batch's rows and puts the moved ones back, so that a table of any size costs what its batch
 * touches. The rows are distinct, since the host has made the ids of a step local; entry 0, the padding, stays.
 */
function rowsInUse(body: Graph, step: StepInputs, { name, spec, held }: Carried): RowsInUse {
  if (spec.rowsOf === undefined) return { active: held, writeBack: (value) => value };
  const rows = step.take(feed.rows(name), [`active ${name}`], 'int32');
  const moving = emit.reshape(body, emit.slice(body, rows, 0, 1), [`moving ${name}`, 1]);
  const index = emit.cast(body, moving, 'int64', elementTypes.int64);
  return {
    active: held.map((tensor) => emit.gather(body, tensor, rows)),
    writeBack: (value, tensor) => {
      const whole = held[tensor] as Value;
      return body.node('ScatterND', [whole, index, emit.slice(body, value, 0, 1)], whole.shape);
    },
  };
}
