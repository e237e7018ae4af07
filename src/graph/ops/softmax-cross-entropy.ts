import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';

/**
 * Loss of logits [N, C] against target distributions [N, C], each of which sums to 1 (one-hot, smoothed or mixed):
 * loss = −1/N Σ target · log softmax(logits), a scalar; dlogits = (softmax(logits) − target) / N · dloss.
 */
export function softmaxCrossEntropy(t: Tape, logits: Value, targets: Value): Value {
  const g = t.graph;
  const logp = g.node('LogSoftmax', [logits], logits.shape, { attributes: { axis: 1 } });
  const scale = 1 / Number(emit.dimOf(logits, 0));
  const total = emit.reduce(g, 'ReduceSum', emit.mul(g, targets, logp), [0, 1]);
  const loss = emit.reshape(g, emit.mul(g, total, g.scalar(-scale)), []);
  return t.record(loss, [logits], (dloss) => {
    const surplus = emit.sub(g, emit.unary(g, 'Exp', logp), targets);
    return [emit.mul(g, surplus, emit.mul(g, dloss, g.scalar(scale)))];
  });
}
