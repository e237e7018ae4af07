import type { Dim, Value } from '../../graph.ts';

export interface ConvOptions {
  stride?: number;
  /** Zeros on each side. */
  pad?: number;
  groups?: number;
  dilation?: number;
}

/** Sizes and options of a convolution x [n, ci, h, w] * w [co, ci / groups, kh, kw] → y [n, co, oh, ow]. */
export interface ConvShape extends Required<ConvOptions> {
  n: Dim;
  ci: number;
  h: number;
  w: number;
  co: number;
  kh: number;
  kw: number;
  oh: number;
  ow: number;
}

export function convShape(x: Value, weight: Value, options: ConvOptions): ConvShape {
  const { stride = 1, pad = 0, groups = 1, dilation = 1 } = options;
  const [n = 1] = x.shape;
  const [ci = 0, h = 0, w = 0] = x.shape.slice(1).map(Number);
  const [co = 0, , kh = 1, kw = 1] = weight.shape.map(Number);
  const outputSize = (size: number, kernel: number): number =>
    Math.floor((size + 2 * pad - dilation * (kernel - 1) - 1) / stride) + 1;
  return { n, ci, h, w, co, kh, kw, oh: outputSize(h, kh), ow: outputSize(w, kw), stride, pad, groups, dilation };
}

/** Attributes of ONNX's Conv and ConvTranspose. */
export function convAttributes({
  kh,
  kw,
  stride,
  pad,
  groups,
  dilation,
}: ConvShape): Record<string, number | number[]> {
  return {
    kernel_shape: [kh, kw],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
    dilations: [dilation, dilation],
    group: groups,
  };
}
