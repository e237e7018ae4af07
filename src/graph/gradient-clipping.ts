import * as emit from './emit.ts';
import type { Graph, Value } from './graph.ts';

/** Keeps the quotient finite if all gradients are zero. */
const epsilon = 1e-6;

/**
 * Gradient clipping by the norm of all gradients together (Pascanu et al. 2013): each becomes g · min(1, limit / ‖g‖), so that
 * the direction of the step remains the same. The limit is a scalar of the graph.
 */
export function clipByNorm(g: Graph, gradients: readonly Value[], limit: Value): Value[] {
  const squares = gradients.map((gradient) => {
    const axes = gradient.shape.map((_, axis) => axis);
    const square = emit.mul(g, gradient, gradient);
    return emit.reshape(g, axes.length === 0 ? square : emit.reduce(g, 'ReduceSum', square, axes), []);
  });
  const norm = emit.unary(g, 'Sqrt', emit.total(g, squares, []));
  const ratio = emit.div(g, limit, emit.add(g, norm, g.scalar(epsilon)));
  const factor = emit.binary(g, 'Min', ratio, g.scalar(1));
  return gradients.map((gradient) => emit.mul(g, gradient, factor));
}
