import * as emit from './emit.ts';
import { feed, result } from './feed-names.ts';
import { clipByNorm } from './gradient-clipping.ts';
import { Graph, type Value } from './graph.ts';
import type { Kernels } from './kernels.ts';
import { type Network, type ParameterSpec, Values } from './network.ts';
import type { Optimiser, StepScalars } from './optimisers/optimiser.ts';
import { StepInputs } from './step-inputs.ts';
import { rowsInUse, tableLayout } from './table-rows.ts';
import { Tape } from './tape.ts';
import { averageTowards } from './weight-average.ts';

/** A training graph and what is needed to feed it. */
export interface TrainingGraph {
  graph: Graph;
  /** Shapes of the uniform noise that each step consumes, in order: fed as `noise.0`, `noise.1`, … */
  noise: number[][];
}

/**
 * Names of a parameter's tensors: the weight under the parameter's name, then the optimiser's slots unless it is a buffer, last
 * its average if weights are averaged.
 */
export function stateNames(
  parameter: string,
  { buffer }: ParameterSpec,
  { optimiser, averages }: UpdateRule,
): string[] {
  const slots = [...(buffer ? [] : optimiser.slots), ...(averages ? ['average'] : [])];
  return [parameter, ...slots.map((slot) => `${parameter}/${slot}`)];
}

/** How a step updates weights. Its numbers are inputs of the graph, so it decides only about nodes. */
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
 * step. A run of K steps copies the state in and out once; a run for each step would copy it each time (15 ms for 30 MB).
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
  const condition = body.input('going', [], 'bool');
  const states = Object.entries(plan.network.parameters).map(([name, spec]) =>
    carriedOf(name, spec, plan, { outer, body }),
  );

  const { loss, updated } = emitStep(plan, { body, step, states, scalars });
  body.output(body.node('Identity', [condition], [], { dtype: 'bool' }));
  for (const value of updated) body.output(value);
  body.output(loss);

  const alwaysTrue = outer.constant(Uint8Array.of(1), [], { dtype: 'bool' });
  const initial = states.flatMap((state) => state.initial);
  const final = states.flatMap((state) => state.final);
  const losses: Value = { name: result.losses, shape: ['K'], dtype: 'float32' };
  const attributes = { body: { graph: body } };
  outer.nodeInto('Loop', [step.count, alwaysTrue, ...initial], [...final, losses], { attributes });
  for (const value of [...final, losses]) outer.output(value);
  return { graph: outer, noise: step.noiseShapes };
}

/** A parameter's tensors before, in and after the loop. */
interface Carried {
  name: string;
  spec: ParameterSpec;
  initial: Value[];
  carried: Value[];
  final: Value[];
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
    initial: names.map((tensor) => graphs.outer.input(feed.state(tensor), shape)),
    carried: names.map((tensor) => graphs.body.input(`carried.${tensor}`, shape)),
    final: names.map((tensor) => ({ name: result.state(tensor), shape, dtype: 'float32' as const })),
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
    initial: [emit.gather(outer, table, window)],
    carried: [body.input(`carried.${name}`, shape)],
    final: [{ name: result.state(name), shape, dtype: 'float32' }],
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
  const hypers: StepScalars = {
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
  const trained = used.filter(({ spec }) => !spec.buffer);
  const weights = trained.map(({ active }) => active[0] as Value);
  const raw = tape.gradients(loss, weights);
  const clipped = scalars.clipNorm === undefined ? raw : clipByNorm(body, raw, scalars.clipNorm);
  const gradients = new Map(clipped.map((gradient, i) => [trained[i]?.name, gradient]));
  const decay = plan.averages ? step.take(feed.averageDecay, []) : null;

  const updated = used.flatMap(({ name, spec, active, writeBack }) => {
    const [weight, ...slots] = active as [Value, ...Value[]];
    const average = decay === null ? undefined : slots.pop();
    const gradient = gradients.get(name);
    const next =
      gradient === undefined
        ? { weight: tape.next(weight), slots: [] }
        : optimiser.update(body, weight, gradient, slots, scaled(body, hypers, spec.rate));
    const averaged = average && decay ? [averageTowards(body, average, next.weight, decay)] : [];
    return writeBack([next.weight, ...next.slots, ...averaged]);
  });
  return { loss, updated };
}

/** Step sizes for a parameter with a learning rate of its own. */
function scaled(g: Graph, hypers: StepScalars, rate = 1): StepScalars {
  if (rate === 1) return hypers;
  const factor = g.scalar(rate);
  const { learningRate, stepSize } = hypers;
  return { ...hypers, learningRate: emit.mul(g, learningRate, factor), stepSize: emit.mul(g, stepSize, factor) };
}

/** The tensors that a step updates, and what the loop carries after the update. */
function activePart(
  body: Graph,
  step: StepInputs,
  { name, spec, carried }: Carried,
  rule: UpdateRule,
): { active: Value[]; writeBack: (updated: Value[]) => Value[] } {
  const [window] = carried;
  if (spec.rowsOf === undefined || window === undefined) return { active: carried, writeBack: (updated) => updated };
  const layout = tableLayout(spec, stateNames(name, spec, rule).length);
  const rows = step.take(feed.rows(name), [`active ${name}`], 'int32');
  const { active, writeBack } = rowsInUse(body, window, { rows, layout });
  return { active, writeBack: (updated) => [writeBack(updated)] };
}
