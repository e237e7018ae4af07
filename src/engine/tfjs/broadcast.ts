import type { Tensor, TensorFlow } from './call.ts';

/** The common shape of two broadcast tensors. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[a.length - rank + i] ?? 1;
    return left === 1 ? (b[b.length - rank + i] ?? 1) : left;
  });
}

/** x repeated to a shape; its gradient is summed, which many kernels of TensorFlow.js do not support by themselves. */
export const broadcastTo = (tf: TensorFlow, x: Tensor, shape: number[]): Tensor =>
  shape.join() === x.shape.join() ? x : tf.broadcastTo(x, shape);
