import { NotSupported } from '../../errors/errors.ts';
import { type Attribute, type Constant, type ElementType, elementTypes, type Node, type Shape } from '../graph.ts';
import { fieldsOf, int64sOf, nodeOf, type OnnxField, ownDomain, textOf } from '../onnx-fields.ts';
import { readValue } from '../onnx-outline.ts';

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
  const { value, value_float, value_floats } = attributes;
  if (typeof value === 'object' && 'tensor' in value) return { ...value.tensor, name };
  if (typeof value_float === 'object' && 'float' in value_float)
    return { name, shape: [], dtype: 'float32', data: Float32Array.of(value_float.float) };
  if (typeof value_floats === 'object' && 'floats' in value_floats)
    return { name, shape: [value_floats.floats.length], dtype: 'float32', data: value_floats.floats };
  throw unread('a constant that is no number', `It is "${name}".`);
}

function readNode(bytes: Uint8Array): Node {
  const node = nodeOf(bytes);
  return { ...node, attributes: Object.fromEntries(node.attributes.map(readAttribute)) };
}

/** Numbers of attribute types in onnx.proto3. */
const kinds = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7, strings: 8 } as const;

function readAttribute(bytes: Uint8Array): [string, Attribute] {
  let [name, text, kind, int, float] = ['', '', 0, 0n, 0];
  let tensor: Constant | undefined;
  const [ints, floats, strings]: [bigint[], number[], string[]] = [[], [], []];
  for (const field of fieldsOf(bytes)) {
    const { bytes: part, value = 0 } = field;
    if (field.field === 20) kind = value;
    else if (field.field === 3) int = int64sOf(field)[0] ?? 0n;
    else if (field.field === 2) float = floatsOf(field)[0] ?? 0;
    else if (field.field === 8) append(ints, field, int64sOf);
    else if (field.field === 7) append(floats, field, floatsOf);
    else if (part === undefined) continue;
    else if (field.field === 1) name = textOf(part);
    else if (field.field === 4) text = textOf(part);
    else if (field.field === 5) tensor = readTensor(part);
    else if (field.field === 9) strings.push(textOf(part));
  }
  if (kind === kinds.float) return [name, { float }];
  if (kind === kinds.int) return wholeNumbers(name, [int], []);
  if (kind === kinds.string) return [name, text];
  if (kind === kinds.tensor && tensor !== undefined) return [name, { tensor }];
  if (kind === kinds.floats) return [name, { floats: Float32Array.from(floats) }];
  if (kind === kinds.ints) return wholeNumbers(name, ints, [ints.length]);
  if (kind === kinds.strings) return [name, { strings }];
  throw unread('an inner graph', `It is the attribute "${name}" of an operator.`);
}

/** What a `Constant` node is may have all 64 bits, so it is read as a tensor; other attributes are numbers here. */
function wholeNumbers(name: string, values: readonly bigint[], shape: readonly number[]): [string, Attribute] {
  if (name === 'value_int' || name === 'value_ints')
    return ['value', { tensor: { shape, dtype: 'int64', data: BigInt64Array.from(values) } }];
  const numbers = values.map(Number);
  if (!numbers.every(Number.isSafeInteger))
    throw unread('an attribute beyond 53 bits', `It is the attribute "${name}" of an operator.`);
  return [name, shape.length === 0 ? (numbers[0] ?? 0) : numbers];
}

/** An input or output; one of an unknown type is taken for numbers. */
function readInput(bytes: Uint8Array): { name: string; dtype: ElementType } {
  const { name, type } = readValue(bytes);
  return { name, dtype: dtypeOf(type === 0 ? elementTypes.float32 : type, name) };
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
  const [dims, ints, floats]: [bigint[], bigint[], number[]] = [[], [], []];
  for (const field of fieldsOf(bytes)) {
    const { bytes: part, value = 0 } = field;
    if (field.field === 1) append(dims, field, int64sOf);
    else if (field.field === 2) type = value;
    else if (field.field === 5 || field.field === 7) append(ints, field, int64sOf);
    else if (field.field === 4) append(floats, field, floatsOf);
    else if (part === undefined) continue;
    else if (field.field === 8) name = textOf(part);
    else if (field.field === 9) raw = part;
  }
  const dtype = dtypeOf(type, name);
  const shape = dims.map(Number);
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
  ints: readonly bigint[],
  floats: readonly number[],
): InstanceType<(typeof arrays)[ElementType]> {
  if (dtype === 'float32') return Float32Array.from(floats);
  if (dtype === 'int64') return BigInt64Array.from(ints);
  const data = arrays[dtype].from(ints.map(Number));
  if (ints.some((value, i) => Number(value) !== data[i])) throw new RangeError(`a weight has numbers beyond ${dtype}`);
  return data;
}

/** Numbers, or bytes of numbers, of a list: where there are so many, files have raw bytes. */
const MAX_LISTED = 2 ** 26;

/** Adds the numbers of a repeated field, which are packed or come one by one. */
function append<T>(list: T[], field: OnnxField, read: (field: OnnxField) => Iterable<T>): void {
  if (list.length + field.whole.length > MAX_LISTED)
    throw unread('weights as a long list of numbers', `The maximum is ${MAX_LISTED} bytes.`);
  for (const value of read(field)) list.push(value); // spread, a long list would overflow the stack
}

/** Of one that is not packed, the key comes first, one byte for these fields. */
function floatsOf({ bytes, whole }: OnnxField): Float32Array {
  const data = new Uint8Array(bytes ?? whole.subarray(1));
  if (data.length % 4 !== 0) throw new RangeError('a list of numbers is cut off');
  return new Float32Array(data.buffer);
}

const unread = (what: string, detail: string): NotSupported =>
  new NotSupported(`the ONNX file has ${what}, which cannot be trained further`, {
    detail,
    hint: "The encoder can be used as it is: families => '{encoder}'.",
  });
