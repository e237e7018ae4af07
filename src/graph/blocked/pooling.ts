import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { blockedPool, blockedUpsample } from './layout.ts';

/**
 * Maximum over windows that tile the image. The blocked operator returns no indices: dx goes in equal shares to all pixels
 * that equal their window's maximum, because in uniform areas of an image all pixels of a window are equal.
 */
export function blockedMaxPool(t: Tape, x: Value, size: number): Value {
  const g = t.graph;
  const y = blockedPool(g, 'MaxPool', x, [size, size]);
  return t.record(y, [x], (dy) => {
    const isMaximum = emit.isNotNegative(g, emit.sub(g, x, blockedUpsample(g, y, [size, size])));
    const maxima = emit.mul(g, blockedPool(g, 'AveragePool', isMaximum, [size, size]), g.scalar(size * size));
    return [emit.mul(g, blockedUpsample(g, emit.div(g, dy, maxima), [size, size]), isMaximum)];
  });
}

export function blockedAveragePool(t: Tape, x: Value, size: number): Value {
  const g = t.graph;
  return t.record(blockedPool(g, 'AveragePool', x, [size, size]), [x], (dy) => [
    blockedUpsample(g, emit.mul(g, dy, g.scalar(1 / (size * size))), [size, size]),
  ]);
}
