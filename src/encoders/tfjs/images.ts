import type { TfjsWeight } from './model-json.ts';
import type { OnnxWriter } from './onnx-writer.ts';

/** [N, H, W, C], as TensorFlow has images, to [N, C, H, W], as ONNX has them. */
export const toChannelsFirst = (write: OnnxWriter, x: string): string =>
  write.node('Transpose', [x], { attributes: { perm: [0, 3, 1, 2] } });

export const fromChannelsFirst = (write: OnnxWriter, x: string): string =>
  write.node('Transpose', [x], { attributes: { perm: [0, 2, 3, 1] } });

export interface ImageWindow {
  strides: readonly [number, number];
  dilations: readonly [number, number];
  padding: 'same' | 'valid';
}

export interface Convolution extends ImageWindow {
  /** Whether each channel has filters of its own. */
  depthwise: boolean;
}

/** x [N, C, H, W] with a kernel [h, w, C, outputs], or [h, w, C, multiplier] if depthwise. */
export function convolve(
  write: OnnxWriter,
  x: string,
  kernel: TfjsWeight,
  { depthwise, ...window }: Convolution,
): string {
  const [height = 1, width = 1, channels = 1, outputs = 1] = kernel.shape;
  const area = height * width;
  const data = new Float32Array(kernel.data.length);
  // TensorFlow's [h, w, C, O] becomes ONNX' [O, C, h, w], and [C · O, 1, h, w] if depthwise: two orders of the same numbers.
  for (let place = 0; place < area; place++)
    for (let channel = 0; channel < channels; channel++)
      for (let output = 0; output < outputs; output++) {
        const filter = depthwise ? channel * outputs + output : output * channels + channel;
        data[filter * area + place] = kernel.data[(place * channels + channel) * outputs + output] as number;
      }
  const shape = depthwise ? [channels * outputs, 1, height, width] : [outputs, channels, height, width];
  const weights = write.constant(data, shape, 'float');
  const group = depthwise ? channels : 1;
  return write.node('Conv', [x, weights], {
    attributes: { ...attributesOf(window), dilations: window.dilations, kernel_shape: [height, width], group },
  });
}

/** Padding is left out of means, as in TensorFlow. */
export const pool = (
  write: OnnxWriter,
  op: 'MaxPool' | 'AveragePool',
  x: string,
  { size, ...window }: ImageWindow & { size: readonly [number, number] },
): string => write.node(op, [x], { attributes: { ...attributesOf(window), kernel_shape: size } });

/** TensorFlow pads more after than before, as ONNX' SAME_UPPER. */
const attributesOf = ({ strides, padding }: ImageWindow): { strides: readonly number[]; auto_pad: string } => ({
  strides,
  auto_pad: padding === 'same' ? 'SAME_UPPER' : 'VALID',
});
