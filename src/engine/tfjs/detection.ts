import type * as tfjs from '@tensorflow/tfjs-core';
import type { Operator, OperatorCall, Tensor } from './call.ts';

/** Boxes [N, A, 4] and scores [N, C, A] → (image, class, box) of each box that does not overlap a better one of its class. */
const nonMaxSuppression: Operator = (call) => {
  const { tf } = call;
  const [boxes, scores] = [call.input(0), call.input(1)];
  const [max = 0] = call.optionalNumbers(2) ?? [];
  const [overlap = 0] = call.optionalNumbers(3) ?? [];
  const [min = Number.NEGATIVE_INFINITY] = call.optionalNumbers(4) ?? [];
  const [images = 0, classes = 0, count = 0] = scores.shape;
  const kept: number[] = [];
  for (let image = 0; image < images; image++) {
    const imageBoxes = tf.reshape<tfjs.Rank.R2>(rowOf(call, boxes, image), [count, 4]);
    for (let label = 0; label < classes; label++) {
      const classScores = tf.reshape<tfjs.Rank.R1>(
        rowOf(call, tf.reshape(scores, [images * classes, count]), image * classes + label),
        [count],
      );
      const selected = tf.image.nonMaxSuppression(imageBoxes, classScores, max, overlap, min);
      for (const box of selected.dataSync<'int32'>()) kept.push(image, label, box);
    }
  }
  return tf.tensor2d(Int32Array.from(kept), [kept.length / 3, 3], 'int32');
};

/** x[index] on the first axis, which is kept as size 1. */
const rowOf = ({ tf }: OperatorCall, x: Tensor, index: number): Tensor => tf.gather(x, tf.tensor1d([index], 'int32'));

export const detectionOperators = { NonMaxSuppression: nonMaxSuppression } satisfies Record<string, Operator>;
