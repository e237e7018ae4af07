/** The value of a function and its gradient at a point. */
export interface DescentSlope {
  value: number;
  gradient: Float32Array;
}

export type DescentSlopeAt = (point: Float32Array) => Promise<DescentSlope>;

/** Where a descent is: all that is needed to continue. */
export interface Descent {
  point: Float32Array;
  /** Of the last steps, the oldest first: how far they went, and by how much the gradient changed. */
  steps: readonly Float32Array[];
  changes: readonly Float32Array[];
}

const MEMORY = 10;
/** Armijo's condition: the share of the expected descent that a step must reach. */
const SUFFICIENT = 1e-4;
const MAX_HALVINGS = 20;

/**
 * One iteration of L-BFGS (Nocedal 1980; Nocedal and Wright 2006, algorithm 7.4) on a convex function. Returns the same descent if no step
 * goes down: the minimum is reached within the precision of single floats.
 */
export async function descend(
  at: Descent,
  here: DescentSlope,
  slopeAt: DescentSlopeAt,
): Promise<{ at: Descent; here: DescentSlope }> {
  const { point } = at;
  const direction = directionOf(at, here.gradient);
  const slope = dot(direction, here.gradient);
  if (!(slope < 0)) return { at, here };
  let size = at.steps.length === 0 ? Math.min(1, 1 / Math.sqrt(dot(here.gradient, here.gradient))) : 1;
  for (let halving = 0; halving <= MAX_HALVINGS; halving++, size /= 2) {
    const next = point.map((value, i) => value + size * (direction[i] as number));
    const there = await slopeAt(next);
    if (!(there.value <= here.value + SUFFICIENT * size * slope)) continue;
    const step = next.map((value, i) => value - (point[i] as number));
    const change = there.gradient.map((value, i) => value - (here.gradient[i] as number));
    const isCurved = dot(step, change) > 0; // otherwise rounding hides the curvature, and the pair would turn the direction up
    const remembered = (old: readonly Float32Array[], newest: Float32Array): readonly Float32Array[] =>
      isCurved ? [...old, newest].slice(-MEMORY) : old;
    return {
      at: { point: next, steps: remembered(at.steps, step), changes: remembered(at.changes, change) },
      here: there,
    };
  }
  return { at, here };
}

/** −H g by the two loops over the remembered pairs. */
function directionOf({ steps, changes }: Descent, gradient: Float32Array): Float64Array {
  const direction = Float64Array.from(gradient, (value) => -value);
  const weights: number[] = [];
  for (let k = steps.length - 1; k >= 0; k--) {
    const [step, change] = [steps[k] as Float32Array, changes[k] as Float32Array];
    weights[k] = dot(step, direction) / dot(step, change);
    addScaled(direction, change, -(weights[k] as number));
  }
  const [lastStep, lastChange] = [steps.at(-1), changes.at(-1)];
  if (lastStep !== undefined && lastChange !== undefined) {
    const scale = dot(lastStep, lastChange) / dot(lastChange, lastChange);
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  }
  for (let k = 0; k < steps.length; k++) {
    const [step, change] = [steps[k] as Float32Array, changes[k] as Float32Array];
    addScaled(direction, step, (weights[k] as number) - dot(change, direction) / dot(step, change));
  }
  return direction;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function addScaled(to: Float64Array, what: Float32Array, scale: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += scale * (what[i] as number);
}
