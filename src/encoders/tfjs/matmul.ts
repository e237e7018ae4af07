import { flagAttribute } from './attributes.ts';
import type { Conversion, OpConverter } from './conversion.ts';
import type { TfjsNode } from './model-json.ts';

/** a·b for matrices and stacks of them, each transposed if its attribute says so. */
function product(c: Conversion, node: TfjsNode, flags: readonly [string, string]): string {
  const [transA, transB] = flags.map((flag) => Number(flagAttribute(node, flag))) as [number, number];
  const inputs = [c.input(node, 0), c.input(node, 1)];
  if (transA === 0 && transB === 0) return c.write.node('MatMul', inputs);
  return c.write.node('FusedMatMul', inputs, { attributes: { transA, transB }, domain: 'com.microsoft' });
}

export const writeMatmul: OpConverter = (c, node) => [product(c, node, ['transpose_a', 'transpose_b'])];
export const writeBatchMatmul: OpConverter = (c, node) => [product(c, node, ['adj_x', 'adj_y'])];
