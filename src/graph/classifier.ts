import type { Value } from './graph.ts';
import { softmaxCrossEntropy } from './losses/softmax-cross-entropy.ts';
import { meanOfMembers } from './members.ts';
import type { InputSpec, Network, ParameterSpec, Values } from './network.ts';
import type { Tape } from './tape.ts';

/** A network that assigns each row one class. */
export interface Classifier {
  parameters: Readonly<Record<string, ParameterSpec>>;
  inputs: Readonly<Record<string, InputSpec>>;
  classes: number;
  /**
   * Logits [N, classes] from inputs of N rows, or [members, N, classes] of several networks in one, each trained on its own loss; `dropout` is
   * the ratio, a scalar.
   */
  logits(t: Tape, inputs: Values, parameters: Values, dropout: Value): Value;
}

/**
 * Trained on softmax cross-entropy against a distribution over the classes; answers with probabilities [N, classes], of several members their
 * mean.
 */
export function classifier({ parameters, inputs, classes, logits }: Classifier): Network {
  return {
    parameters,
    inputs,
    targets: { truth: { shape: [classes], dtype: 'float32' } },
    loss: (t, step) =>
      softmaxCrossEntropy(t, logits(t, step.inputs, step.parameters, step.dropout), step.targets.of('truth')),
    answer: (t, rows, weights) => {
      const scores = logits(t, rows, weights, t.graph.scalar(0));
      const each = t.graph.node('Softmax', [scores], scores.shape, { attributes: { axis: -1 } });
      return { name: 'probabilities', value: meanOfMembers(t.graph, each) };
    },
  };
}
