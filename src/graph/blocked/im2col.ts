import * as emit from '../emit.ts';
import type { Graph, Value } from '../graph.ts';
import type { ConvShape } from '../ops/convolution/conv-shape.ts';
import { pixelRows, plainOf, zeroRow } from './layout.ts';

/**
 * dw [Co, Ci, kh, kw] of any convolution without groups as one matrix product, from blocked dy and x: row (n, p, q) of col is the
 * receptive field of that result, kh·kw pixels, and dw = dyᵀ · col.
 */
export function im2colWeightGradient(g: Graph, dy: Value, x: Value, shape: ConvShape): Value {
  const { n, ci, co, kh, kw, oh, ow, stride, pad } = shape;
  if (kh * kw === 1 && stride === 1 && pad === 0) return pointwiseWeightGradient(g, dy, x, shape);
  const results = Number(n) * oh * ow;
  const columns = emit.reshape(g, im2col(g, x, shape), [results, kh * kw * ci]);
  const dw = emit.reshape(g, emit.matmul(g, pixelRows(g, dy), columns, { ta: true }), [co, kh * kw, ci]);
  return emit.reshape(g, emit.transpose(g, dw, [0, 2, 1]), [co, ci, kh, kw]);
}

/** dw of a 1×1 convolution: Σ dy · xᵀ over the images, from [N, C, H·W]; takes 7 ms, one product of all rows 12 ms. */
function pointwiseWeightGradient(g: Graph, dy: Value, x: Value, { n, ci, co, h, w }: ConvShape): Value {
  const rows = (v: Value, channels: number): Value => emit.reshape(g, plainOf(g, v), [n, channels, h * w]);
  const products = emit.batchMatmul(g, rows(dy, co), rows(x, ci), { tb: true });
  return emit.reshape(g, emit.reduce(g, 'ReduceSum', products, [0]), [co, ci, 1, 1]);
}

/** The receptive field of each result: [N·oh·ow·kh·kw, Ci]. */
function im2col(g: Graph, x: Value, shape: ConvShape): Value {
  const { n, ci, h, w, kh, kw, oh, ow, stride, pad, dilation } = shape;
  const outside = Number(n) * h * w;
  const key = `columns ${[n, h, w, kh, kw, stride, pad, dilation].join()}`;
  const index = g.shared(key, () => {
    const data = new Int32Array(Number(n) * oh * ow * kh * kw);
    let at = 0;
    for (let image = 0; image < Number(n); image++) {
      for (let position = 0; position < oh * ow; position++) {
        for (let offset = 0; offset < kh * kw; offset++) {
          const row = Math.floor(position / ow) * stride + Math.floor(offset / kw) * dilation - pad;
          const column = (position % ow) * stride + (offset % kw) * dilation - pad;
          const inside = row >= 0 && row < h && column >= 0 && column < w;
          data[at++] = inside ? (image * h + row) * w + column : outside;
        }
      }
    }
    return g.constant(data, [data.length], { dtype: 'int32' });
  });
  return emit.gather(g, emit.concat(g, [pixelRows(g, x), zeroRow(g, ci)], 0), index);
}
