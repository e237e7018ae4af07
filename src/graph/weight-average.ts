import * as emit from './emit.ts';
import type { Graph, Value } from './graph.ts';

/**
 * Exponential moving average of a weight (Polyak and Juditsky 1992; as a decaying average, Tarvainen and Valpola 2017):
 * a ← d·a + (1 − d)·w, written as w + d·(a − w). Running averages of batch norm are averaged likewise, because the
 * averaged weights have other activations than the newest. Of a table, only the rows that a step uses are updated.
 */
export function averageTowards(g: Graph, average: Value, weight: Value, decay: Value): Value {
  return emit.add(g, weight, emit.mul(g, emit.sub(g, average, weight), decay));
}

/**
 * d at 0-based step `t`: it grows to `decay`, so that the first weights do not dominate the average; in a short training
 * the average spans about a tenth of the steps done.
 */
export const decayAt = (t: number, decay: number): number => Math.min(decay, (1 + t) / (10 + t));
