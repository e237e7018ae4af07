import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { countOf, elementGradient, type Weighting, weightedSum } from './weighting.ts';

/**
 * Huber's loss (1964) of x against y, element by element: with d = x − y, d²/2 where |d| ≤ δ, else δ(|d| − δ/2). Both are
 * c(d − c/2) with c = d limited to ±δ, and dx = c.
 */
export function huber(t: Tape, x: Value, y: Value, options: Weighting & { delta?: number } = {}): Value {
  const { delta = 1, ...weighting } = options;
  return bounded(t, { x, y, bound: delta, scale: 1 }, weighting);
}

/** Smooth L1 (Girshick 2015, equation 3), with β as its corner: Huber's loss of δ = β divided by β, so that dx = ±1 beyond it. */
export function smoothL1(t: Tape, x: Value, y: Value, options: Weighting & { beta?: number } = {}): Value {
  const { beta = 1, ...weighting } = options;
  return bounded(t, { x, y, bound: beta, scale: 1 / beta }, weighting);
}

interface Bounded {
  x: Value;
  y: Value;
  /** Largest |c|. */
  bound: number;
  scale: number;
}

function bounded(t: Tape, { x, y, bound, scale }: Bounded, weighting: Weighting): Value {
  const g = t.graph;
  const count = countOf(x);
  const d = emit.sub(g, x, y);
  const c = emit.clip(g, d, -bound, bound);
  const elements = emit.mul(g, c, emit.sub(g, d, emit.mul(g, c, g.scalar(0.5))));
  const loss = weightedSum(g, emit.mul(g, elements, g.scalar(scale)), weighting, count);
  return t.record(loss, [x], (dloss) => {
    const share = emit.mul(g, elementGradient(g, dloss, weighting, count), g.scalar(scale));
    return [emit.mul(g, c, share)];
  });
}
