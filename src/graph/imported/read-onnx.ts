import { NotSupported } from '../../errors/errors.ts';
import { type Attribute, type Constant, type ElementType, elementTypes, type Node, type Shape } from '../graph.ts';
import { fieldsOf, int64sOf, type OnnxField, textOf } from '../onnx-fields.ts';

/** The graph of an ONNX file. */
export interface OnnxGraph {
  /** Version of ONNX's own operators. */
  opset: number;
  nodes: readonly Node[];
  /** Its weights by name, and what its nodes have as constants. */
  constants: ReadonlyMap<string, Constant>;
  /** Those that are weights of the file. */
  weights: ReadonlySet<string>;
  /** Without weights. */
  inputs: readonly { name: string; dtype: ElementType }[];
  outputs: readonly string[];
}

type OpenGraph = {
  opset: number;
  nodes: Node[];
  constants: Map<string, Constant>;
  weights: Set<string>;
  inputs: OnnxGraph['inputs'][number][];
  outputs: string[];
};

/** Throws a RangeError for bytes that are no ONNX file, and {@link NotSupported} for what is not read of one: inner graphs, and other types of numbers. */
export function readOnnx(bytes: Uint8Array): OnnxGraph {
  const graph: OpenGraph = {
    ...{ opset: 0, nodes: [], constants: new Map<string, Constant>(), weights: new Set<string>() },
    ...{ inputs: [], outputs: [] },
  };
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 7) readGraph(part, graph);
    else if (field === 8) readOpset(part, graph);
  }
  return graph;
}

function readOpset(bytes: Uint8Array, graph: OpenGraph): void {
  let [domain, version] = ['', 0];
  for (const { field, bytes: part, value } of fieldsOf(bytes)) {
    if (field === 1 && part !== undefined) domain = textOf(part);
    else if (field === 2 && value !== undefined) version = value;
  }
  if (ownDomain(domain) === '') graph.opset = version;
}

const ownDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

function readGraph(bytes: Uint8Array, graph: OpenGraph): void {
  const inputs: OnnxGraph['inputs'][number][] = [];
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 1) addNode(readNode(part), graph);
    else if (field === 5) {
      const weight = readTensor(part);
      graph.constants.set(weight.name, weight);
      graph.weights.add(weight.name);
    } else if (field === 11) inputs.push(readInput(part));
    else if (field === 12) graph.outputs.push(readInput(part).name);
  }
  graph.inputs.push(...inputs.filter(({ name }) => !graph.weights.has(name)));
}

function addNode(node: Node, graph: OpenGraph): void {
  if (node.op !== 'Constant') graph.nodes.push(node);
  else {
    const [name = ''] = node.outputs;
    graph.constants.set(name, constantOf(name, node.attributes));
  }
}

function constantOf(name: string, attributes: Node['attributes']): Constant {
  const { value, value_float, value_int, value_ints, value_floats } = attributes;
  if (typeof value === 'object' && 'tensor' in value) return { ...value.tensor, name };
  if (typeof value_int === 'number') return { name, shape: [], dtype: 'int64', data: int64([value_int]) };
  if (Array.isArray(value_ints))
    return { name, shape: [value_ints.length], dtype: 'int64', data: int64(value_ints as readonly number[]) };
  if (typeof value_float === 'object' && 'float' in value_float)
    return { name, shape: [], dtype: 'float32', data: Float32Array.of(value_float.float) };
  if (typeof value_floats === 'object' && 'floats' in value_floats)
    return { name, shape: [value_floats.floats.length], dtype: 'float32', data: value_floats.floats };
  throw unread('a constant that is no number', `It is "${name}".`);
}

const int64 = (values: readonly number[]): BigInt64Array<ArrayBuffer> =>
  BigInt64Array.from(values, (value) => BigInt(value));

function readNode(bytes: Uint8Array): Node {
  const [inputs, outputs]: [string[], string[]] = [[], []];
  const attributes: Record<string, Attribute> = {};
  let [op, domain] = ['', ''];
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 1) inputs.push(textOf(part));
    else if (field === 2) outputs.push(textOf(part));
    else if (field === 4) op = textOf(part);
    else if (field === 7) domain = ownDomain(textOf(part));
    else if (field === 5) {
      const [name, value] = readAttribute(part);
      attributes[name] = value;
    }
  }
  return { op, domain, inputs, outputs, attributes };
}

/** Numbers of attribute types in onnx.proto3. */
const kinds = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7, strings: 8 } as const;

function readAttribute(bytes: Uint8Array): [string, Attribute] {
  let [name, text, kind, int, float] = ['', '', 0, 0, 0];
  let tensor: Constant | undefined;
  const [ints, floats, strings]: [number[], number[], string[]] = [[], [], []];
  for (const field of fieldsOf(bytes)) {
    const { bytes: part, value = 0 } = field;
    if (field.field === 20) kind = value;
    else if (field.field === 3) int = intsOf(field)[0] ?? 0;
    else if (field.field === 2) float = floatsOf(field.whole.subarray(1))[0] ?? 0;
    else if (field.field === 8) ints.push(...intsOf(field));
    else if (part === undefined) continue;
    else if (field.field === 1) name = textOf(part);
    else if (field.field === 4) text = textOf(part);
    else if (field.field === 5) tensor = readTensor(part);
    else if (field.field === 7) floats.push(...floatsOf(part));
    else if (field.field === 9) strings.push(textOf(part));
  }
  if (kind === kinds.float) return [name, { float }];
  if (kind === kinds.int) return [name, int];
  if (kind === kinds.string) return [name, text];
  if (kind === kinds.tensor && tensor !== undefined) return [name, { tensor }];
  if (kind === kinds.floats) return [name, { floats: Float32Array.from(floats) }];
  if (kind === kinds.ints) return [name, ints];
  if (kind === kinds.strings) return [name, { strings }];
  throw unread('an inner graph', `It is the attribute "${name}" of an operator.`);
}

/** An input or output; one of an unknown type is taken for numbers. */
function readInput(bytes: Uint8Array): { name: string; dtype: ElementType } {
  let name = '';
  let type: number = elementTypes.float32;
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 1) name = textOf(part);
    if (field !== 2) continue;
    for (const { field: kind, bytes: tensor } of fieldsOf(part))
      if (kind === 1 && tensor !== undefined)
        for (const inner of fieldsOf(tensor)) if (inner.field === 1) type = inner.value ?? type;
  }
  return { name, dtype: dtypeOf(type, name) };
}

function dtypeOf(type: number, name: string): ElementType {
  const found = Object.entries(elementTypes).find(([, number]) => number === type)?.[0];
  if (found !== undefined) return found as ElementType;
  throw unread(
    'numbers of another type than float32, int64, int32, int8, uint8 and bool',
    `"${name}" has type ${type} of ONNX.`,
  );
}

function readTensor(bytes: Uint8Array): Constant {
  let [name, type] = ['', 0];
  let raw: Uint8Array | undefined;
  const shape: number[] = [];
  const [ints, floats]: [number[], number[]] = [[], []];
  for (const field of fieldsOf(bytes)) {
    const { bytes: part, value = 0 } = field;
    if (field.field === 1) shape.push(...intsOf(field));
    else if (field.field === 2) type = value;
    else if (field.field === 5 || field.field === 7) ints.push(...intsOf(field));
    else if (part === undefined) continue;
    else if (field.field === 4) floats.push(...floatsOf(part));
    else if (field.field === 8) name = textOf(part);
    else if (field.field === 9) raw = part;
  }
  const dtype = dtypeOf(type, name);
  const data = raw === undefined ? listed(dtype, ints, floats) : unpacked(dtype, raw);
  if (data.length !== sizeOf(shape)) throw new RangeError(`the weight "${name}" is cut off`);
  return { name, shape, dtype, data };
}

const sizeOf = (shape: Shape): number => shape.reduce<number>((size, dim) => size * Number(dim), 1);

const arrays = {
  ...{ float32: Float32Array, int64: BigInt64Array, int32: Int32Array },
  ...{ int8: Int8Array, uint8: Uint8Array, bool: Uint8Array },
} as const;

/** A copy: the bytes of a file are not aligned. */
function unpacked(dtype: ElementType, raw: Uint8Array): InstanceType<(typeof arrays)[ElementType]> {
  const array = arrays[dtype];
  if (raw.length % array.BYTES_PER_ELEMENT !== 0) throw new RangeError('a weight is cut off');
  return new array(new Uint8Array(raw).buffer);
}

function listed(
  dtype: ElementType,
  ints: readonly number[],
  floats: readonly number[],
): InstanceType<(typeof arrays)[ElementType]> {
  if (dtype === 'float32') return Float32Array.from(floats);
  return dtype === 'int64' ? int64(ints) : arrays[dtype].from(ints);
}

const intsOf = (field: OnnxField): number[] => int64sOf(field).map(Number);

const floatsOf = (bytes: Uint8Array): Float32Array => new Float32Array(new Uint8Array(bytes).buffer);

const unread = (what: string, detail: string): NotSupported =>
  new NotSupported(`the ONNX file has ${what}, which cannot be trained further`, {
    detail,
    hint: "The encoder can be used as it is: families => '{encoder}'.",
  });
