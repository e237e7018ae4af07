import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { countOf, elementGradient, type Weighting, weightedSum } from './weighting.ts';

/**
 * Loss of logits [..., C] against target distributions [..., C], each of which sums to 1 (one-hot, smoothed as by Szegedy et
 * al. 2016, or mixed): −Σ w ⊙ target ⊙ log softmax(logits) / n. The normaliser is the number of rows if none is given;
 * weights of shape [..., 1] weigh rows, weights of shape [C] classes. With q = w ⊙ target:
 * dlogits = (softmax(logits) · Σ_C q − q) / n · dloss.
 */
export function softmaxCrossEntropy(t: Tape, logits: Value, targets: Value, weighting: Weighting = {}): Value {
  const g = t.graph;
  const classes = logits.shape.length - 1;
  const rows = countOf(logits) / Number(emit.dimOf(logits, -1));
  const { weights, ...sum } = weighting;
  const parts = weights === undefined ? targets : emit.mul(g, targets, weights);
  const logp = emit.logSoftmax(g, logits);
  const loss = emit.unary(g, 'Neg', weightedSum(g, emit.mul(g, parts, logp), sum, rows));
  return t.record(loss, [logits], (dloss) => {
    const p = emit.unary(g, 'Exp', logp);
    const weighted = weights === undefined ? p : emit.mul(g, p, emit.reduce(g, 'ReduceSum', parts, [classes]));
    return [emit.mul(g, emit.sub(g, weighted, parts), elementGradient(g, dloss, sum, rows))];
  });
}
