import type { PixelState } from '../../features/pixels.ts';
import * as emit from '../../graph/emit.ts';
import type { Value } from '../../graph/graph.ts';
import { type InputSpec, Values } from '../../graph/network.ts';
import { conv2d } from '../../graph/ops/convolution/conv2d.ts';
import type { Tape } from '../../graph/tape.ts';

export const imageInput = (side: number): Record<string, InputSpec> => ({
  image: { shape: [3, side, side], dtype: 'uint8' },
});

/** Images with at least this side are cut into patches, so that a network's first stage has about 32×32 positions. */
const MIN_PATCHED_SIDE = 64;

/** Pixels along each axis of a patch: 1 below a side of 64, 2 for 64 and 96, 4 for 128 and 224. */
function patchOf(side: number): number {
  let patch = 1;
  while (side / patch >= MIN_PATCHED_SIDE && side % (2 * patch) === 0) patch *= 2;
  return patch;
}

/** Channels of the result of `readImages`. */
export const channelsOf = ({ side, whitening }: PixelState): number => (whitening?.shape[0] ?? 3) * patchOf(side) ** 2;

/**
 * Converts bytes to numbers of mean 0 and deviation 1 in each colour, whitened if configured; part of the exported model, so that
 * serving feeds bytes. The pixels of a patch become channels of one position: a 3×3 convolution of 4×4 patches is one of 12×12
 * pixels with stride 4, at the cost of one on small images.
 */
export function readImages(t: Tape, inputs: Values, image: PixelState, patch = patchOf(image.side)): Value {
  const g = t.graph;
  const bytes = inputs.of('image');
  const x = standardised(t, g.node('Cast', [bytes], bytes.shape, { attributes: { to: 1 } }), image);
  return patched(t, whitened(t, x, image), patch);
}

/** All images, then the mirror images of all. */
export function withMirrors({ graph: g }: Tape, inputs: Values): Values {
  const images = inputs.of('image');
  const width = Number(images.shape[3]);
  const backwards = Int32Array.from({ length: width }, (_, x) => width - 1 - x);
  const index = g.constant(backwards, [width], { dtype: 'int32' });
  const mirrored = g.node('Gather', [images, index], images.shape, { attributes: { axis: 3 }, dtype: images.dtype });
  return new Values([['image', emit.concat(g, [images, mirrored], 0)]]);
}

function standardised(t: Tape, x: Value, { mean, deviation }: PixelState): Value {
  const g = t.graph;
  const perColour = (values: readonly number[]): Value => g.constant(Float32Array.from(values), [3, 1, 1]);
  const scale = perColour(deviation.map((d) => 1 / d));
  const shift = perColour(mean.map((m, i) => -m / (deviation[i] ?? 1)));
  return g.node('Add', [g.node('Mul', [x, scale], x.shape), shift], x.shape);
}

function whitened(t: Tape, x: Value, { whitening }: PixelState): Value {
  if (whitening === undefined) return x;
  const { shape, weights } = whitening;
  return conv2d(t, x, t.graph.constant(Float32Array.from(weights), shape), { pad: (shape[2] - 1) / 2 });
}

/**
 * [N, C, H, W] → [N, C·p², H / p, W / p], in two steps, because the runtime moves one axis, or whole rows of pixels, several times as
 * fast as single numbers.
 */
function patched({ graph: g }: Tape, x: Value, patch: number): Value {
  if (patch === 1) return x;
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const [down, across] = [Number(h) / patch, Number(w) / patch];
  const rows = emit.transpose(g, emit.reshape(g, x, [emit.product([n, c]), down, patch, w]), [0, 2, 1, 3]);
  const pixels = emit.reshape(g, rows, [emit.product([n, c, patch]), down * across, patch]);
  return emit.reshape(g, emit.transpose(g, pixels, [0, 2, 1]), [n, Number(c) * patch ** 2, down, across]);
}
