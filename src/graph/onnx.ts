import {
  type Attribute,
  type Constant,
  elementTypes,
  type GraphParts,
  type Node,
  unknownShape,
  type Value,
} from './graph.ts';
import { bytesField, concatBytes, floatField, stringField, varintField, varintsField } from './protobuf.ts';

/** ONNX operator set 18 and IR version 8: the newest that every ONNX Runtime since 1.14 reads. */
const opset = 18;
const irVersion = 8;

/** The number of 64-bit floats, which attributes may have, but no value of a graph. */
const doubleType = 11;

/** Versions of the other operator sets: the standard's for tables, and ONNX Runtime's own, which have but one. */
const setVersions: Readonly<Record<string, number>> = { 'ai.onnx.ml': 3 };

/** Field numbers and attribute types follow onnx.proto3 (onnx/onnx, `onnx/onnx.proto3`). */
const attributeType = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7, strings: 8 } as const;

/** The bytes of an ONNX model file. */
export function encodeModel(graph: GraphParts): Uint8Array {
  return concatBytes([
    varintField(1, irVersion),
    stringField(2, 'rafiki'),
    bytesField(7, encodeGraph(graph)),
    bytesField(8, varintField(2, opset)),
    ...[...extraDomains(graph)]
      .sort()
      .map((domain) => bytesField(8, concatBytes([stringField(1, domain), varintField(2, setVersions[domain] ?? 1)]))),
  ]);
}

/** The further operator sets that the graph and its inner graphs use. */
function extraDomains(graph: GraphParts): Set<string> {
  const domains = new Set<string>();
  for (const { domain, attributes } of graph.nodes) {
    if (domain !== '') domains.add(domain);
    for (const value of Object.values(attributes)) {
      if (typeof value === 'object' && 'graph' in value)
        for (const inner of extraDomains(value.graph)) domains.add(inner);
    }
  }
  return domains;
}

function encodeGraph(graph: GraphParts): Uint8Array {
  return concatBytes([
    ...graph.nodes.map((node) => bytesField(1, encodeNode(node))),
    stringField(2, graph.name),
    ...graph.constants.map((constant) => bytesField(5, encodeTensor(constant))),
    ...graph.inputs.map((value) => bytesField(11, encodeValue(value))),
    ...graph.outputs.map((value) => bytesField(12, encodeValue(value))),
  ]);
}

function encodeNode(node: Node): Uint8Array {
  return concatBytes([
    ...node.inputs.map((name) => stringField(1, name)),
    ...node.outputs.map((name) => stringField(2, name)),
    stringField(4, node.op),
    ...Object.entries(node.attributes).map(([name, value]) => bytesField(5, encodeAttribute(name, value))),
    ...(node.domain === '' ? [] : [stringField(7, node.domain)]),
  ]);
}

function encodeAttribute(name: string, value: Attribute): Uint8Array {
  return concatBytes([stringField(1, name), ...attributeFields(value)]);
}

function attributeFields(value: Attribute): Uint8Array[] {
  if (typeof value === 'number') return [varintField(3, value), varintField(20, attributeType.int)];
  if (typeof value === 'string') return [stringField(4, value), varintField(20, attributeType.string)];
  if ('graph' in value) return [bytesField(6, encodeGraph(value.graph)), varintField(20, attributeType.graph)];
  if ('float' in value) return [floatField(2, value.float), varintField(20, attributeType.float)];
  if ('floats' in value) return [bytesField(7, bytesOf(value.floats)), varintField(20, attributeType.floats)];
  if ('tensor' in value)
    return [bytesField(5, encodeTensor({ ...value.tensor, name: '' })), varintField(20, attributeType.tensor)];
  if ('doubles' in value) return [bytesField(5, doubleVector(value.doubles)), varintField(20, attributeType.tensor)];
  if ('strings' in value)
    return [...value.strings.map((text) => stringField(9, text)), varintField(20, attributeType.strings)];
  return [varintsField(8, value), varintField(20, attributeType.ints)];
}

/** A tensor with one dimension and elements of 64 bits. */
const doubleVector = (data: Float64Array): Uint8Array =>
  concatBytes([varintField(1, data.length), varintField(2, doubleType), bytesField(9, bytesOf(data))]);

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function encodeTensor({ name, shape, dtype, data }: Constant): Uint8Array {
  return concatBytes([
    ...shape.map((dim) => varintField(1, Number(dim))),
    varintField(2, elementTypes[dtype]),
    stringField(8, name),
    bytesField(9, bytesOf(data)),
  ]);
}

function encodeValue({ name, shape, dtype }: Value): Uint8Array {
  const dims = shape.map((dim) => bytesField(1, typeof dim === 'string' ? stringField(2, dim) : varintField(1, dim)));
  const known = shape === unknownShape ? [] : [bytesField(2, concatBytes(dims))];
  const tensorType = concatBytes([varintField(1, elementTypes[dtype]), ...known]);
  return concatBytes([stringField(1, name), bytesField(2, bytesField(1, tensorType))]);
}
