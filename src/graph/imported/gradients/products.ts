import { NotSupported } from '../../../errors/errors.ts';
import * as emit from '../../emit.ts';
import type { Graph, Value } from '../../graph.ts';
import { backTo } from '../sizes.ts';
import { type ForeignGradient, type ForeignOp, type GradientRule, realAttribute, wholeAttribute } from './gradient.ts';

interface Transposed {
  ta: boolean;
  tb: boolean;
}

/** a·b of stacks of matrices, each matrix transposed or not; stacks are broadcast. */
function product(g: Graph, a: Value, b: Value, { ta, tb }: Transposed): Value {
  return emit.batchMatmul(g, a, b, { ta, tb });
}

/** All dimensions but the last are joined into rows. */
function rowsOf(g: Graph, x: Value): Value {
  if (x.shape.length === 2) return x;
  const width = x.shape.at(-1);
  if (typeof width !== 'number')
    throw new NotSupported('the encoder has a product of a width that is not fixed', { hint: NO_TRAINING });
  return g.node('Reshape', [x, g.ints([-1, width])], ['rows', width]);
}

const NO_TRAINING = "It can be used as it is: families => '{encoder}'.";

/** With A, B as they are multiplied and y = A·B: dA = dy·Bᵀ and dB = Aᵀ·dy, transposed where a or b were. */
function gradients(
  op: ForeignOp,
  dy: Value,
  needs: (place: number) => boolean,
  { ta, tb }: Transposed,
): (Value | null)[] {
  const { g } = op;
  const [a, b] = op.inputs as [Value, Value];
  if (a.shape.length < 2 || b.shape.length < 2)
    throw new NotSupported('the encoder has a product with a vector, which has no gradient here', {
      hint: NO_TRAINING,
    });
  const da = (): Value => (ta ? product(g, b, dy, { ta: tb, tb: true }) : product(g, dy, b, { ta: false, tb: !tb }));
  // a matrix of weights for a stack of inputs: all rows in one product
  const isShared = !ta && !tb && b.shape.length === 2;
  const db = (): Value => {
    if (isShared) return emit.matmul(g, rowsOf(g, a), rowsOf(g, dy), { ta: true });
    return tb ? product(g, dy, a, { ta: true, tb: ta }) : product(g, a, dy, { ta: !ta, tb: false });
  };
  return [needs(0) ? backTo(g, da(), a) : null, needs(1) ? backTo(g, db(), b) : null];
}

const matmul: ForeignGradient = (op, dy, needs) => gradients(op, dy, needs, { ta: false, tb: false });

const scaled = (g: Graph, x: Value, factor: number): Value => (factor === 1 ? x : emit.mul(g, x, g.scalar(factor)));

/** alpha · a·b, each matrix transposed if its attribute says so. */
const fusedMatmul: ForeignGradient = (op, dy, needs) => {
  const flag = (name: string): boolean => wholeAttribute(op, name, 0) === 1;
  if (flag('transBatchA') || flag('transBatchB'))
    throw new NotSupported('the encoder has a product of transposed stacks, which has no gradient here', {
      hint: NO_TRAINING,
    });
  const scale = scaled(op.g, dy, realAttribute(op, 'alpha', 1));
  return gradients(op, scale, needs, { ta: flag('transA'), tb: flag('transB') });
};

/** alpha · a·b + beta · c */
const gemm: ForeignGradient = (op, dy, needs) => {
  const { g, inputs } = op;
  const [, , c] = inputs;
  const flag = (name: string): boolean => wholeAttribute(op, name, 0) === 1;
  const product = scaled(g, dy, realAttribute(op, 'alpha', 1));
  const both = gradients({ ...op, inputs: inputs.slice(0, 2) }, product, needs, {
    ta: flag('transA'),
    tb: flag('transB'),
  });
  const dc = c !== undefined && needs(2) ? backTo(g, scaled(g, dy, realAttribute(op, 'beta', 1)), c) : null;
  return [...both, dc];
};

export const products: Readonly<Record<string, GradientRule>> = {
  ':MatMul': { gradient: matmul },
  ':Gemm': { gradient: gemm },
  'com.microsoft:FusedMatMul': { gradient: fusedMatmul },
};
