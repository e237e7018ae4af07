import { blockedUpsample, blockedView, imageMeans, toPlain } from '../../blocked/layout.ts';
import { blockedAveragePool, blockedMaxPool } from '../../blocked/pooling.ts';
import * as emit from '../../emit.ts';
import type { Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';
import { mean } from '../reductions.ts';
import { reshape } from '../shaping.ts';
import { recordWithoutArgmax } from './portable-max-pool.ts';

export interface PoolOptions {
  size: number;
  /** `size` if not given. */
  stride?: number;
  pad?: number;
}

/** Maximum of each window: x [N, C, H, W] → y [N, C, H', W']; dx = dy at the maximum, the first of equals. */
export function maxPool(t: Tape, x: Value, options: PoolOptions): Value {
  if (x.blocked && tiles(x, options)) return blockedMaxPool(t, x, options.size);
  return plainMaxPool(t, toPlain(t, x), options);
}

/** Mean of each window; throws a RangeError unless windows of `size` tile the image. */
export function averagePool(t: Tape, x: Value, size: number): Value {
  if (!tiles(x, { size }))
    throw new RangeError(`windows of ${size} do not tile an image of ${x.shape.slice(2).join('×')}`);
  if (x.blocked) return blockedAveragePool(t, x, size);
  const g = t.graph;
  const y = g.node('AveragePool', [x], pooledShape(x, { size }), { attributes: poolAttributes({ size }) });
  return t.record(y, [x], (dy) => {
    const c = Number(emit.dimOf(x, 1));
    const kernel = g.constant(new Float32Array(c * size * size).fill(1 / (size * size)), [c, 1, size, size]);
    const attributes = { ...poolAttributes({ size }), group: c };
    return [g.node('ConvTranspose', [dy, kernel], x.shape, { attributes })];
  });
}

/** Mean over all pixels: x [N, C, H, W] → y [N, C]; dx = dy / (H·W). */
export function globalAveragePool(t: Tape, x: Value): Value {
  const g = t.graph;
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  if (!x.blocked) return reshape(t, mean(t, x, [2, 3]), [n, c]);
  return t.record(imageMeans(g, x), [x], (dy) => {
    const share = blockedView(g, emit.mul(g, dy, g.scalar(1 / (Number(h) * Number(w)))), [n, c, 1, 1]);
    return [blockedUpsample(g, share, [Number(h), Number(w)])];
  });
}

function plainMaxPool(t: Tape, x: Value, options: PoolOptions): Value {
  const g = t.graph;
  const shape = pooledShape(x, options);
  const attributes = poolAttributes(options);
  if (!t.training || g.portable) {
    const { size, stride = size, pad = 0 } = options;
    return recordWithoutArgmax(t, x, g.node('MaxPool', [x], shape, { attributes }), { size, stride, pad });
  }
  const y = g.value(shape);
  const argmax = g.value(shape, 'int64');
  g.nodeInto('MaxPool', [x], [y, argmax], { attributes });
  return t.record(y, [x], (dy) => {
    const flat = (v: Value): Value => emit.reshape(g, v, [emit.product(shape)]);
    const size = Number(emit.product(x.shape));
    const zeros = g.node('ConstantOfShape', [g.ints([size])], [size]);
    const scatter = { axis: 0, reduction: 'add' };
    const dx = g.node('ScatterElements', [zeros, flat(argmax), flat(dy)], [size], { attributes: scatter });
    return [emit.reshape(g, dx, x.shape)];
  });
}

function tiles(x: Value, { size, stride = size, pad = 0 }: PoolOptions): boolean {
  return stride === size && pad === 0 && x.shape.slice(2).every((side) => Number(side) % size === 0);
}

function pooledShape(x: Value, { size, stride = size, pad = 0 }: PoolOptions): (string | number)[] {
  const outputSize = (side: string | number): number => Math.floor((Number(side) + 2 * pad - size) / stride) + 1;
  return [emit.dimOf(x, 0), emit.dimOf(x, 1), outputSize(emit.dimOf(x, 2)), outputSize(emit.dimOf(x, 3))];
}

function poolAttributes({ size, stride = size, pad = 0 }: PoolOptions): Record<string, number[]> {
  return { kernel_shape: [size, size], strides: [stride, stride], pads: [pad, pad, pad, pad] };
}
