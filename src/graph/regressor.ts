import * as emit from './emit.ts';
import type { Value } from './graph.ts';
import { meanSquaredError } from './losses/mean-squared-error.ts';
import { meanOfMembers } from './members.ts';
import type { InputSpec, Network, ParameterSpec, Values } from './network.ts';
import { mul } from './ops/arithmetic.ts';
import type { Tape } from './tape.ts';

/** A network that answers each row with a number. */
export interface Regressor {
  parameters: Readonly<Record<string, ParameterSpec>>;
  inputs: Readonly<Record<string, InputSpec>>;
  /** Name of the target, standardised numbers [N, 1]. */
  target: string;
  /** Of the targets that it is trained on: mean and scale. */
  unit: { mean: number; scale: number };
  /** Standardised numbers [N, 1] from inputs of N rows, or [members, N, 1] as of a classifier; `dropout` is the ratio, a scalar. */
  output(t: Tape, inputs: Values, parameters: Values, dropout: Value): Value;
}

/**
 * Factor of the loss. A squared error has a curvature of 2 in its number, a cross-entropy one of 1/4 at most in its logits: at the learning rates
 * of image families, which are for these, momentum SGD diverged. Adam's steps do not depend on it.
 */
const LOSS_SHARE = 1 / 8;

/** Trained on an eighth of the squared error of standardised targets; answers in their unit, [N, 1]. */
export function regressor({ parameters, inputs, target, unit, output }: Regressor): Network {
  return {
    parameters,
    inputs,
    targets: { [target]: { shape: [1], dtype: 'float32' } },
    loss(t, step) {
      const numbers = output(t, step.inputs, step.parameters, step.dropout);
      return mul(t, meanSquaredError(t, numbers, step.targets.of(target)), t.graph.scalar(LOSS_SHARE));
    },
    answer: (t, rows, weights) => {
      const g = t.graph;
      const standardised = meanOfMembers(g, output(t, rows, weights, g.scalar(0)));
      return {
        name: 'numbers',
        value: emit.add(g, emit.mul(g, standardised, g.scalar(unit.scale)), g.scalar(unit.mean)),
      };
    },
  };
}
