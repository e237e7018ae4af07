import { flagAttribute, intAttribute, intsAttribute, typeAttribute } from './attributes.ts';
import type { OpConverter } from './conversion.ts';
import { imageOps } from './image-ops.ts';
import { writeBatchMatmul } from './matmul.ts';
import type { ValueKind } from './onnx-writer.ts';

/** Ends of slices that reach to the end of an axis, whatever its size. */
const FAR = 2 ** 31 - 1;

/** An op with the same meaning and the same inputs in ONNX. */
const same =
  (op: string, kind?: ValueKind): OpConverter =>
  (c, node) => [c.write.node(op, c.inputs(node), kind === undefined ? {} : { kind })];

const reduction =
  (op: string): OpConverter =>
  (c, node) => {
    const axes = c.write.ints(c.constant(node, 1));
    const keepdims = Number(flagAttribute(node, 'keep_dims', 'keepdims'));
    return [c.write.node(op, [c.input(node, 0), axes], { attributes: { keepdims, noop_with_empty_axes: 1 } })];
  };

/** x[begin:end:strides], with TensorFlow's masks of axes that have no bound, or that are one index. */
const stridedSlice: OpConverter = (c, node) => {
  const [begin, end, strides] = [1, 2, 3].map((place) => c.constant(node, place)) as [number[], number[], number[]];
  const masked = (name: string, axis: number): boolean => ((intAttribute(node, name) >> axis) & 1) === 1;
  if (intAttribute(node, 'ellipsis_mask') !== 0 || intAttribute(node, 'new_axis_mask') !== 0)
    throw c.unsupported(node, 'with an ellipsis or a new axis');
  const axes = begin.map((_, axis) => axis);
  const shrunk = axes.filter((axis) => masked('shrink_axis_mask', axis));
  const isBack = (axis: number): boolean => (strides[axis] as number) < 0;
  const starts = axes.map((axis) => {
    if (masked('begin_mask', axis) && !shrunk.includes(axis)) return isBack(axis) ? FAR : 0;
    return begin[axis] as number;
  });
  const ends = axes.map((axis) => {
    if (shrunk.includes(axis)) return begin[axis] === -1 ? FAR : (begin[axis] as number) + 1;
    return masked('end_mask', axis) ? (isBack(axis) ? -FAR : FAR) : (end[axis] as number);
  });
  const steps = axes.map((axis) => (shrunk.includes(axis) ? 1 : (strides[axis] as number)));
  const bounds = [starts, ends, axes, steps].map((values) => c.write.ints(values));
  const sliced = c.write.node('Slice', [c.input(node, 0), ...bounds]);
  return [shrunk.length === 0 ? sliced : c.write.node('Squeeze', [sliced, c.write.ints(shrunk)])];
};

const slice: OpConverter = (c, node) => {
  const [begin, size] = [c.constant(node, 1), c.constant(node, 2)];
  const ends = size.map((length, axis) => (length === -1 ? FAR : (begin[axis] as number) + length));
  return [c.write.node('Slice', [c.input(node, 0), c.write.ints(begin), c.write.ints(ends)])];
};

/** The indices of true elements, [n, rank]. */
const where: OpConverter = (c, node) => {
  if (node.inputs.length > 1) throw c.unsupported(node, 'with values to choose from');
  return [c.write.node('Transpose', [c.write.node('NonZero', [c.input(node, 0)], { kind: 'int' })])];
};

const scatterNd: OpConverter = (c, node) => {
  const [indices, updates, shape] = c.inputs(node) as [string, string, string];
  const kind = c.write.kindOf(updates);
  const zero = c.write.constant([0], [1], kind);
  const zeros = c.write.node('Expand', [zero, shape], { kind });
  return [c.write.node('ScatterND', [zeros, indices, updates], { attributes: { reduction: 'add' }, kind })];
};

const sparseToDense: OpConverter = (c, node) => {
  const [indices, shape, values, otherwise] = c.inputs(node) as [string, string, string, string];
  const filled = c.write.node('Expand', [otherwise, shape]);
  return [c.write.node('ScatterND', [filled, indices, values])];
};

const concat: OpConverter = (c, node) => {
  const last = node.inputs.length - 1;
  const [axis = 0] = c.constant(node, last);
  return [c.write.node('Concat', c.inputs(node).slice(0, last), { attributes: { axis } })];
};

const pack: OpConverter = (c, node) => {
  const axis = intAttribute(node, 'axis');
  const parts = c.inputs(node).map((part) => c.write.node('Unsqueeze', [part, c.write.ints([axis])]));
  return [c.write.node('Concat', parts, { attributes: { axis } })];
};

const gather: OpConverter = (c, node) => {
  const [axis = 0] = node.inputs.length > 2 ? c.constant(node, 2) : [];
  return [c.write.node('Gather', c.inputs(node).slice(0, 2), { attributes: { axis } })];
};

const splitV: OpConverter = (c, node) => {
  const [sizes, [axis = 0]] = [c.constant(node, 1), c.constant(node, 2)];
  return c.write.nodes('Split', [c.input(node, 0), c.write.ints(sizes)], sizes.length, { attributes: { axis } });
};

const squeeze: OpConverter = (c, node) => {
  const axes = intsAttribute(node, 'squeeze_dims');
  return [c.write.node('Squeeze', [c.input(node, 0), ...(axes.length === 0 ? [] : [c.write.ints(axes)])])];
};

const cast: OpConverter = (c, node) => {
  const kind = typeAttribute(node, 'DstT');
  if (kind === 'other') throw c.unsupported(node, 'to this type');
  return [c.write.cast(c.input(node, 0), kind)];
};

const reshape: OpConverter = (c, node) => [c.write.node('Reshape', c.inputs(node), { attributes: { allowzero: 1 } })];

const rsqrt: OpConverter = (c, node) => [c.write.node('Reciprocal', [c.write.node('Sqrt', c.inputs(node))])];

const square: OpConverter = (c, node) => {
  const x = c.input(node, 0);
  return [c.write.node('Mul', [x, x])];
};

const clip6: OpConverter = (c, node) => [c.write.node('Clip', [c.input(node, 0), c.write.float(0), c.write.float(6)])];

/** All ops of graph models that can be converted, by TensorFlow's names. Images are [N, H, W, C]. */
export const graphOps: Readonly<Record<string, OpConverter>> = {
  ...imageOps,
  Add: same('Add'),
  AddV2: same('Add'),
  BatchMatMul: writeBatchMatmul,
  BatchMatMulV2: writeBatchMatmul,
  BiasAdd: same('Add'),
  Cast: cast,
  ConcatV2: concat,
  Cos: same('Cos'),
  Equal: same('Equal', 'bool'),
  Exp: same('Exp'),
  ExpandDims: (c, node) => [c.write.node('Unsqueeze', [c.input(node, 0), c.write.ints(c.constant(node, 1))])],
  GatherNd: same('GatherND'),
  GatherV2: gather,
  Greater: same('Greater', 'bool'),
  Identity: (c, node) => [c.input(node, 0)],
  Less: same('Less', 'bool'),
  Log: same('Log'),
  LogicalAnd: same('And'),
  LogicalNot: same('Not'),
  Max: reduction('ReduceMax'),
  Maximum: same('Max'),
  Mean: reduction('ReduceMean'),
  Min: reduction('ReduceMin'),
  Minimum: same('Min'),
  Mul: same('Mul'),
  Neg: same('Neg'),
  Pack: pack,
  Prod: reduction('ReduceProd'),
  Range: same('Range'),
  RealDiv: same('Div'),
  Relu: same('Relu'),
  Relu6: clip6,
  Reshape: reshape,
  Rsqrt: rsqrt,
  ScatterNd: scatterNd,
  Shape: same('Shape', 'int'),
  Sigmoid: same('Sigmoid'),
  Sin: same('Sin'),
  Slice: slice,
  Softmax: (c, node) => [c.write.node('Softmax', c.inputs(node), { attributes: { axis: -1 } })],
  SparseToDense: sparseToDense,
  SplitV: splitV,
  Sqrt: same('Sqrt'),
  Square: square,
  Squeeze: squeeze,
  StridedSlice: stridedSlice,
  Sub: same('Sub'),
  Sum: reduction('ReduceSum'),
  Tanh: same('Tanh'),
  Transpose: (c, node) => [
    c.write.node('Transpose', [c.input(node, 0)], { attributes: { perm: c.constant(node, 1) } }),
  ],
  Where: where,
};
