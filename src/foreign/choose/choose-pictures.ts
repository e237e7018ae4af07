import { BadData } from '../../errors/errors.ts';
import type { OnnxValue } from '../../graph/onnx-outline.ts';
import { shown, typeOf } from '../graph-values.ts';
import type { PicturesPlan } from '../plan.ts';
import type { ImportSpec } from '../spec.ts';

/** Pixels are divided by it unless spec says otherwise: they are then between 0 and 1. */
const SCALE = 255;
const MAX_PIXELS = 16 * 2 ** 20;

/** How an image file becomes the input of the graph: by its shape, and by `spec`. */
export function choosePictures(value: OnnxValue, { image = {} }: ImportSpec): PicturesPlan {
  const { dims } = value;
  const type = typeOf(value);
  if ((dims !== null && dims.length !== 4) || (type !== 'float32' && type !== 'uint8')) {
    throw new BadData('the input of the ONNX file is no image', {
      detail: `It is ${shown(value)}, of type ${type}.`,
      hint: 'It must be [rows, colours, height, width] or [rows, height, width, colours], of type float32 or uint8.',
    });
  }
  const [, second = null, third = null, last = null] = dims ?? [];
  const layout = image.layout ?? ((last === 3 || last === 1) && second !== 3 && second !== 1 ? 'nhwc' : 'nchw');
  const [colours, height, width] = layout === 'nchw' ? [second, third, last] : [last, second, third];
  const channels = image.channels ?? (colours === 1 ? 'grey' : 'rgb');
  if (colours !== null && colours !== (channels === 'grey' ? 1 : 3)) {
    throw new BadData(`the input of the ONNX file has ${colours} colours`, {
      detail: `It is ${shown(value)}, read as ${layout}, ${channels}.`,
      hint: 'Say in spec how it reads images: {"image": {"layout": "nchw" or "nhwc", "channels": "rgb", "bgr" or "grey"}}.',
    });
  }
  const [ownHeight, ownWidth] = sizeOf(image.size) ?? [height, width];
  if (ownHeight === null || ownWidth === null) {
    throw new BadData('the ONNX file does not say how large its images are', {
      detail: `Its input is ${shown(value)}.`,
      hint: 'Say it in spec: {"image": {"size": 224}}.',
    });
  }
  if ((height ?? ownHeight) !== ownHeight || (width ?? ownWidth) !== ownWidth || ownHeight * ownWidth > MAX_PIXELS) {
    throw new BadData(`the images cannot have the size ${ownHeight} × ${ownWidth}`, {
      detail: `The input of the ONNX file is ${shown(value)}; the maximum is ${MAX_PIXELS} pixels.`,
      hint: 'Leave out "size" in spec: the file says it.',
    });
  }
  return {
    ...{ kind: 'pictures', name: value.name, type, layout, channels, height: ownHeight, width: ownWidth },
    ...{ resize: image.resize ?? null, fit: image.fit ?? 'crop' },
    ...{ scale: image.scale ?? SCALE, mean: image.mean ?? [0], std: image.std ?? [1] },
  };
}

const sizeOf = (size: number | [number, number] | undefined): [number, number] | null =>
  size === undefined ? null : typeof size === 'number' ? [size, size] : size;
