import * as emit from '../emit.ts';
import type { Value } from '../graph.ts';
import type { Tape } from '../tape.ts';
import { blockedPool, upsample } from './layout.ts';

/**
 * Maximum over windows that tile the image. There are no winners' indices in this layout: dx goes to the pixels that equal
 * their window's maximum, in equal shares, as flat areas of an image have whole windows of equals.
 */
export function blockedMaxPool(t: Tape, x: Value, size: number): Value {
  const g = t.graph;
  const y = blockedPool(g, 'MaxPool', x, [size, size]);
  return t.record(y, [x], (dy) => {
    const won = emit.notNegative(g, emit.sub(g, x, upsample(g, y, [size, size])));
    const winners = emit.mul(g, blockedPool(g, 'AveragePool', won, [size, size]), g.scalar(size * size));
    return [emit.mul(g, upsample(g, emit.div(g, dy, winners), [size, size]), won)];
  });
}

export function blockedAveragePool(t: Tape, x: Value, size: number): Value {
  const g = t.graph;
  return t.record(blockedPool(g, 'AveragePool', x, [size, size]), [x], (dy) => [
    upsample(g, emit.mul(g, dy, g.scalar(1 / (size * size))), [size, size]),
  ]);
}
