import { NotSupported } from '../../errors/errors.ts';
import type { Attribute, Constant, Node } from '../graph.ts';
import type { OnnxGraph } from './read-onnx.ts';

/** The oldest set of operators that is read: PyTorch 1.3 wrote it, in 2019. */
const OLDEST = 11;
/** That of our own files. */
const OURS = 18;

const reductions = ['ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare'];

/** Operators whose list of numbers was an attribute before this version, and has been the input at this place since. */
const moved: Readonly<Record<string, { attribute: string; since: number; place: number }>> = {
  ...Object.fromEntries(reductions.map((op) => [op, { attribute: 'axes', since: 18, place: 1 }])),
  ReduceSum: { attribute: 'axes', since: 13, place: 1 },
  Squeeze: { attribute: 'axes', since: 13, place: 1 },
  Unsqueeze: { attribute: 'axes', since: 13, place: 1 },
  Split: { attribute: 'split', since: 13, place: 1 },
};

/** The same graph with the operators of our own files. Throws {@link NotSupported} for one that is older than what is read. */
export function upgraded(graph: OnnxGraph): OnnxGraph {
  if (graph.opset < OLDEST) {
    throw new NotSupported(`the ONNX file has operators of version ${graph.opset}, which are not trained further`, {
      hint: `Export it again with a version from ${OLDEST} on.`,
    });
  }
  const constants = new Map(graph.constants);
  const add = (constant: Constant): string => {
    constants.set(constant.name, constant);
    return constant.name;
  };
  const nodes = graph.nodes.flatMap((node) => (node.domain === '' ? upgradedNode(node, graph.opset, add) : [node]));
  return { ...graph, opset: OURS, nodes, constants };
}

type AddConstant = (constant: Constant) => string;

function upgradedNode(node: Node, opset: number, add: AddConstant): Node[] {
  const { op, inputs, outputs, attributes } = node;
  const [x = '', y = ''] = [inputs[0], outputs[0]];
  if (op === 'Dropout') return [{ ...node, op: 'Identity', inputs: [x], outputs: [y], attributes: {} }];
  if (op === 'Gelu') return gelu(x, y, { tanh: attributes['approximate'] === 'tanh', add });
  if (op === 'Cast') return [{ ...node, attributes: without(attributes, 'saturate') }];
  if (overRest.has(op) && opset < 13) return softmaxOverRest(node);
  const move = moved[op];
  const list = move && opset < move.since ? attributes[move.attribute] : undefined;
  if (move !== undefined && Array.isArray(list)) {
    const data = BigInt64Array.from(list as readonly number[], (value) => BigInt(value));
    const given = add({ name: `${y}/${move.attribute}`, shape: [data.length], dtype: 'int64', data });
    return [{ ...node, inputs: [x, given], attributes: without(attributes, move.attribute) }];
  }
  if (op === 'Split' && inputs.length < 2 && attributes['num_outputs'] === undefined)
    return [{ ...node, attributes: { ...attributes, num_outputs: outputs.length } }];
  return [node];
}

/** Operators that before version 13 took all axes from theirs on as one; since then they are over that axis alone. */
const overRest = new Set(['Softmax', 'LogSoftmax', 'Hardmax']);
const OLD_AXIS = 1;

/** What these mean today: they are over the second axis of a matrix, whose shape is then that of x again. */
function softmaxOverRest(node: Node): Node[] {
  const [x = '', y = ''] = [node.inputs[0], node.outputs[0]];
  const { axis = OLD_AXIS } = node.attributes;
  if (axis === -1) return [node]; // the last axis is all the rest
  const inner = (op: string, inputs: string[], output: string, attributes: Node['attributes'] = {}): Node => ({
    ...{ op, domain: '', inputs, outputs: [output], attributes },
  });
  return [
    inner('Shape', [x], `${y}/shape`),
    inner('Flatten', [x], `${y}/flat`, { axis }),
    inner(node.op, [`${y}/flat`], `${y}/over rest`, { axis: 1 }),
    inner('Reshape', [`${y}/over rest`, `${y}/shape`], y),
  ];
}

const without = (attributes: Node['attributes'], name: string): Record<string, Attribute> =>
  Object.fromEntries(Object.entries(attributes).filter(([own]) => own !== name));

/** x · (1 + erf(x / √2)) / 2, or with tanh(√(2/π) · (x + 0.044715 x³)) in place of erf (Hendrycks and Gimpel 2016). */
function gelu(x: string, y: string, { tanh, add }: { tanh: boolean; add: AddConstant }): Node[] {
  const nodes: Node[] = [];
  const scalar = (value: number): string =>
    add({ name: `${y}/constant ${value}`, shape: [], dtype: 'float32', data: Float32Array.of(value) });
  const node = (op: string, inputs: string[], output = `${y}/${nodes.length}`): string => {
    nodes.push({ op, domain: '', inputs, outputs: [output], attributes: {} });
    return output;
  };
  const cube = (): string => node('Mul', [node('Mul', [x, x]), node('Mul', [x, scalar(0.044715)])]);
  const inner = tanh
    ? node('Tanh', [node('Mul', [node('Add', [x, cube()]), scalar(Math.sqrt(2 / Math.PI))])])
    : node('Erf', [node('Mul', [x, scalar(Math.SQRT1_2)])]);
  node('Mul', [node('Mul', [x, scalar(0.5)]), node('Add', [inner, scalar(1)])], y);
  return nodes;
}
