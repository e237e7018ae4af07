import type { Graph, Value } from '../graph.ts';

/** Scalar hyperparameters of one step; all are graph inputs, so that trials with different values share one graph. */
export interface StepScalars {
  /** The step size, schedule and the optimiser's own correction included. */
  stepSize: Value;
  /** The scheduled learning rate alone. */
  learningRate: Value;
  momentum: Value;
  weightDecay: Value;
}

interface Updated {
  weight: Value;
  slots: Value[];
}

/** A gradient step as a pure function that emits nodes. Slots are tensors of the weight's shape, zero at first. */
export interface Optimiser {
  name: string;
  slots: readonly string[];
  /** Factor on the learning rate at 1-based step `t`, computed outside the graph. */
  correction(t: number): number;
  update(g: Graph, weight: Value, gradient: Value, slots: readonly Value[], hypers: StepScalars): Updated;
}
