import { blockedPool, blockedUpsample } from '../../blocked/layout.ts';
import * as emit from '../../emit.ts';
import { absent, type Value } from '../../graph.ts';
import type { Tape } from '../../tape.ts';

/** Nearest-neighbour upsampling, each pixel as a square of k × k: x [N, C, H, W] → y [N, C, kH, kW]; dx = Σ dy over the square. */
export function upsample(t: Tape, x: Value, k = 2): Value {
  const g = t.graph;
  const y = x.blocked ? blockedUpsample(g, x, [k, k]) : plainUpsample(t, x, k);
  return t.record(y, [x], (dy) => {
    const means = dy.blocked ? blockedPool(g, 'AveragePool', dy, [k, k]) : plainMeans(t, dy, { like: x, k });
    return [emit.mul(g, means, g.scalar(k * k))];
  });
}

function plainUpsample({ graph: g }: Tape, x: Value, k: number): Value {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const scales = g.shared(`scales ${k}`, () => g.constant(Float32Array.of(1, 1, k, k), [4]));
  const attributes = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  return g.node('Resize', [x, absent, scales], [n, c, Number(h) * k, Number(w) * k], { attributes });
}

function plainMeans({ graph: g }: Tape, dy: Value, { like, k }: { like: Value; k: number }): Value {
  return g.node('AveragePool', [dy], like.shape, { attributes: { kernel_shape: [k, k], strides: [k, k] } });
}
