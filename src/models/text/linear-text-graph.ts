import * as emit from '../../graph/emit.ts';
import { Graph, type Value } from '../../graph/graph.ts';
import { encodeModel } from '../../graph/onnx.ts';
import { BIAS } from '../../linear/sparse-rows.ts';
import type { Answers } from '../answering.ts';

/**
 * An ONNX file with the inputs `ids` and `weights`, [N, T], and the output `probabilities`, [N, classes], or `numbers`, [N, 1]. `w` is
 * [columns, width], the bias first; id 0 is padding. Of each row of W only those that a text has are read.
 */
export function exportLinearText(w: Float32Array, width: number, answers: Answers): Uint8Array {
  const g = new Graph('linear');
  const ids = g.input('ids', ['N', 'T'], 'int32');
  const weights = g.input('weights', ['N', 'T']);
  const table = w.slice();
  table.fill(0, BIAS, BIAS + width);
  const rows = emit.gather(g, g.constant(table, [w.length / width, width], { name: 'table' }), ids);
  const each = g.node('Unsqueeze', [weights, g.ints([1])], ['N', 1, 'T']);
  const sums = g.node('MatMul', [each, rows], ['N', 1, width]);
  const scores = g.node('Squeeze', [sums, g.ints([1])], ['N', width]);
  const bias = g.constant(w.slice(BIAS, BIAS + width), [width], { name: 'bias' });
  const answer = answerOf(g, emit.add(g, scores, bias), answers);
  g.output(answer, answers.target === undefined ? 'probabilities' : 'numbers');
  return encodeModel(g);
}

function answerOf(g: Graph, scores: Value, { classes, target }: Answers): Value {
  if (target !== undefined) return emit.add(g, emit.mul(g, scores, g.scalar(target.scale)), g.scalar(target.mean));
  if (classes > 2) return g.node('Softmax', [scores], scores.shape, { attributes: { axis: 1 } });
  const second = g.node('Sigmoid', [scores], scores.shape);
  const first = g.node('Sub', [g.scalar(1), second], scores.shape);
  return g.node('Concat', [first, second], ['N', 2], { attributes: { axis: 1 } });
}

/** The same answers from scores [rows, width], [rows, classes] or [rows, 1]. */
export function linearAnswers(scores: Float64Array, width: number, { classes, target }: Answers): Float32Array {
  if (target !== undefined) return Float32Array.from(scores, (score) => target.mean + target.scale * score);
  if (width === 1) {
    const answers = new Float32Array(2 * scores.length);
    for (const [row, score] of scores.entries()) {
      const second = Math.fround(1 / (1 + Math.exp(-score)));
      answers[2 * row] = 1 - second;
      answers[2 * row + 1] = second;
    }
    return answers;
  }
  const answers = new Float32Array(scores.length);
  for (let at = 0; at < scores.length; at += classes) {
    const own = scores.subarray(at, at + classes);
    const max = own.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
    const sum = own.reduce((total, score) => total + Math.exp(score - max), 0);
    for (const [k, score] of own.entries()) answers[at + k] = Math.exp(score - max) / sum;
  }
  return answers;
}
