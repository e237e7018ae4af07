import * as emit from './emit.ts';
import { feed, result } from './feed-names.ts';
import { clipByNorm } from './gradient-clipping.ts';
import { Graph, type Value } from './graph.ts';
import type { Kernels } from './kernels.ts';
import { type Network, type ParameterSpec, Values } from './network.ts';
import type { Hypers, Optimiser } from './optimisers/optimiser.ts';
import { StepInputs } from './step-inputs.ts';
import { rowsInUse, tableLayout } from './table-rows.ts';
import { Tape } from './tape.ts';
import { averageTowards } from './weight-average.ts';

/** What the host must know to feed a training graph. */
export interface TrainingGraph {
  graph: Graph;
  /** Shapes of the uniform noise that each step consumes, in order: fed as `noise.0`, `noise.1`, … */
  noise: number[][];
}

/**
 * A parameter's tensors: the weight under the parameter's name, then the optimiser's slots where it moves the weight, last its
 * average where weights are averaged.
 */
export function stateNames(
  parameter: string,
  { follows }: ParameterSpec,
  { optimiser, averages }: UpdateRule,
): string[] {
  const slots = [...(follows ? [] : optimiser.slots), ...(averages ? ['average'] : [])];
  return [parameter, ...slots.map((slot) => `${parameter}/${slot}`)];
}

/** How weights move: what a graph is compiled for. All numbers in it are inputs. */
export interface UpdateRule {
  optimiser: Optimiser;
  /** Whether gradients are clipped by their norm. */
  clips: boolean;
  /** Whether averages of the weights are kept. */
  averages: boolean;
}

export interface TrainingPlan extends UpdateRule {
  network: Network;
  /** Rows of a step. */
  batch: number;
  kernels: Kernels;
}

/**
 * K optimiser steps as one ONNX Loop: forward, gradients and update in the body, weights and slots carried from step to
 * step. One run of K steps moves the state in and out once; a run per step would copy it each time (15 ms for 30 MB).
 */
export function buildTraining(plan: TrainingPlan): TrainingGraph {
  const outer = new Graph('train', plan.kernels);
  const body = new Graph('step', plan.kernels);
  const step = new StepInputs(outer, body);
  const scalars = {
    momentum: outer.input(feed.momentum, []),
    weightDecay: outer.input(feed.weightDecay, []),
    dropout: outer.input(feed.dropout, []),
    ...(plan.clips ? { clipNorm: outer.input(feed.clipNorm, []) } : {}),
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
  return { graph: outer, noise: step.noiseShapes };
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
  const names = stateNames(name, spec, plan);
  if (spec.rowsOf !== undefined) return carriedTable(name, spec, { tensors: names.length, ...graphs });
  const { shape } = spec;
  return {
    name,
    spec,
    entering: names.map((tensor) => graphs.outer.input(feed.state(tensor), shape)),
    held: names.map((tensor) => graphs.body.input(`held.${tensor}`, shape)),
    leaving: names.map((tensor) => ({ name: result.state(tensor), shape, dtype: 'float32' as const })),
  };
}

function carriedTable(
  name: string,
  spec: ParameterSpec,
  { outer, body, tensors }: { outer: Graph; body: Graph; tensors: number },
): Carried {
  const { rows, width } = tableLayout(spec, tensors);
  const table = outer.input(feed.state(name), [rows, width * tensors]);
  const window = outer.input(feed.window(name), [`rows of ${name}`], 'int32');
  const shape = [`rows of ${name}`, width * tensors];
  return {
    name,
    spec,
    entering: [emit.gather(outer, table, window)],
    held: [body.input(`held.${name}`, shape)],
    leaving: [{ name: result.state(name), shape, dtype: 'float32' }],
  };
}

interface StepParts {
  body: Graph;
  step: StepInputs;
  states: readonly Carried[];
  scalars: { momentum: Value; weightDecay: Value; dropout: Value; clipNorm?: Value };
}

function emitStep(plan: TrainingPlan, { body, step, states, scalars }: StepParts) {
  const { network, optimiser, batch, kernels } = plan;
  const hypers: Hypers = {
    ...scalars,
    learningRate: step.take(feed.learningRate, []),
    stepSize: step.take(feed.stepSize, []),
  };
  const rows = (specs: Network['inputs'], fedAs: (name: string) => string): Values =>
    new Values(Object.entries(specs).map(([name, spec]) => [name, step.rows(fedAs(name), batch, spec)] as const));
  const inputs = rows(network.inputs, feed.input);
  const targets = rows(network.targets, feed.target);
  const used = states.map((state) => ({ ...state, ...activePart(body, step, state, plan) }));

  const tape = Tape.forTraining(body, { noise: (shape) => step.noise(shape), ...kernels });
  const parameters = new Values(used.map(({ name, active }) => [name, active[0] as Value]));
  const loss = network.loss(tape, { inputs, targets, parameters, dropout: scalars.dropout });
  const trained = used.filter(({ spec }) => !spec.follows);
  const weights = trained.map(({ active }) => active[0] as Value);
  const raw = tape.gradients(loss, weights);
  const clipped = scalars.clipNorm === undefined ? raw : clipByNorm(body, raw, scalars.clipNorm);
  const gradients = new Map(clipped.map((gradient, i) => [trained[i]?.name, gradient]));
  const decay = plan.averages ? step.take(feed.averageDecay, []) : null;

  const moved = used.flatMap(({ name, active, writeBack }) => {
    const [weight, ...slots] = active as [Value, ...Value[]];
    const average = decay === null ? undefined : slots.pop();
    const gradient = gradients.get(name);
    const next =
      gradient === undefined
        ? { weight: tape.next(weight), slots: [] }
        : optimiser.update(body, weight, gradient, slots, hypers);
    const averaged = average && decay ? [averageTowards(body, average, next.weight, decay)] : [];
    return writeBack([next.weight, ...next.slots, ...averaged]);
  });
  return { loss, moved };
}

/** What a step computes with, and how the moved takes its place in what the loop carries. */
function activePart(
  body: Graph,
  step: StepInputs,
  { name, spec, held }: Carried,
  course: UpdateRule,
): { active: Value[]; writeBack: (moved: Value[]) => Value[] } {
  const [window] = held;
  if (spec.rowsOf === undefined || window === undefined) return { active: held, writeBack: (moved) => moved };
  const layout = tableLayout(spec, stateNames(name, spec, course).length);
  const rows = step.take(feed.rows(name), [`active ${name}`], 'int32');
  const { active, writeBack } = rowsInUse(body, window, { rows, layout });
  return { active, writeBack: (moved) => [writeBack(moved)] };
}
