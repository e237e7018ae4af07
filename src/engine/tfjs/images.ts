import type * as tfjs from '@tensorflow/tfjs-core';
import type { Operator, OperatorCall, Tensor, TensorFlow } from './call.ts';

type Images = tfjs.Tensor4D;

/** [N, C, H, W] → [N, H, W, C], the layout that all backends of TensorFlow.js support. */
const channelsLast = (tf: TensorFlow, x: Tensor): Images => tf.transpose(fourDimensional(tf, x), [0, 2, 3, 1]);
const channelsFirst = (tf: TensorFlow, x: Images): Tensor => tf.transpose(x, [0, 3, 1, 2]);

function fourDimensional(tf: TensorFlow, x: Tensor): Images {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  return tf.reshape<tfjs.Rank.R4>(x, [n, c, h, w]);
}

/** [top, left, bottom, right] around [N, H, W, C]. */
function padded(tf: TensorFlow, x: Images, pads: readonly number[], value = 0): Images {
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  if (pads.every((width) => width === 0)) return x;
  const around: [number, number][] = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
  return tf.pad(x, around, value);
}

const pair = ([vertical = 1, horizontal = 1]: readonly number[]): [number, number] => [vertical, horizontal];

/** Processes groups in sequence, or as a depthwise convolution if each has one channel. */
const conv: Operator = (call) => {
  const { tf } = call;
  const x = padded(tf, channelsLast(tf, call.input(0)), call.list('pads', [0, 0, 0, 0]));
  const w = dilated(call, call.input(1));
  const groups = call.number('group', 1);
  const strides = pair(call.list('strides', [1, 1]));
  const [co = 1, ci = 1, kh = 1, kw = 1] = w.shape;
  let y: Images;
  if (groups === 1) y = tf.conv2d(x, tf.transpose(fourDimensional(tf, w), [2, 3, 1, 0]), strides, 'valid');
  else if (ci === 1) {
    const filter = tf.transpose(tf.reshape<tfjs.Rank.R4>(w, [groups, co / groups, kh, kw]), [2, 3, 0, 1]);
    y = tf.depthwiseConv2d(x, filter, strides, 'valid');
  } else {
    const parts = tf.split<Images>(x, groups, 3).map((part, i) => {
      const filter = tf.slice(fourDimensional(tf, w), [(i * co) / groups, 0, 0, 0], [co / groups, ci, kh, kw]);
      return tf.conv2d<Images>(part, tf.transpose(filter, [2, 3, 1, 0]), strides, 'valid');
    });
    y = tf.concat(parts, 3);
  }
  const bias = call.optional(2);
  return channelsFirst(tf, bias === undefined ? y : tf.add<Images>(y, bias));
};

/** A kernel with zeros inserted, because TensorFlow.js has no gradient of a dilated convolution. */
function dilated(call: OperatorCall, w: Tensor): Tensor {
  const { tf } = call;
  const [down, across] = pair(call.list('dilations', [1, 1]));
  if (down === 1 && across === 1) return w;
  const [co = 1, ci = 1, kh = 1, kw = 1] = w.shape;
  const spread = tf.pad(tf.reshape(w, [co * ci, kh, 1, kw, 1]), [
    [0, 0],
    [0, 0],
    [0, down - 1],
    [0, 0],
    [0, across - 1],
  ]);
  const whole = tf.reshape<tfjs.Rank.R4>(spread, [co, ci, kh * down, kw * across]);
  return tf.slice(whole, [0, 0, 0, 0], [co, ci, (kh - 1) * down + 1, (kw - 1) * across + 1]);
}

interface ConvWindows {
  size: [number, number];
  strides: [number, number];
  pads: readonly number[];
}

const windowsOf = (call: OperatorCall): ConvWindows => ({
  size: pair(call.list('kernel_shape', [1, 1])),
  strides: pair(call.list('strides', [1, 1])),
  pads: call.list('pads', [0, 0, 0, 0]),
});

/** ONNX Runtime needs the indices of the maxima for the gradient; TensorFlow.js does not. */
const maxPool: Operator = (call) => {
  const { tf } = call;
  const { size, strides, pads } = windowsOf(call);
  const x = padded(tf, channelsLast(tf, call.input(0)), pads, Number.NEGATIVE_INFINITY);
  return channelsFirst(tf, tf.maxPool(x, size, strides, 'valid'));
};

/** Means over the pixels inside the image: windows at the edge have fewer. */
const averagePool: Operator = (call) => {
  const { tf } = call;
  const { size, strides, pads } = windowsOf(call);
  const means = (x: Images): Images => tf.avgPool(padded(tf, x, pads), size, strides, 'valid');
  const x = channelsLast(tf, call.input(0));
  const y = pads.every((width) => width === 0) ? means(x) : tf.div<Images>(means(x), means(tf.onesLike(x)));
  return channelsFirst(tf, y);
};

/** Nearest neighbour by integer factors: every pixel becomes a rectangle. */
const resize: Operator = (call) => {
  const { tf } = call;
  const x = call.input(0);
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const [, , down = 1, across = 1] = call.numbers(2);
  const spread = tf.mul(tf.reshape(x, [n * c, h, 1, w, 1]), tf.ones([1, 1, down, 1, across]));
  return tf.reshape(spread, [n, c, h * down, w * across]);
};

export const imageOperators = {
  Conv: conv,
  MaxPool: maxPool,
  AveragePool: averagePool,
  Resize: resize,
} satisfies Record<string, Operator>;
