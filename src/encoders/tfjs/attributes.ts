import type { TfjsNode } from './model-json.ts';

// Attributes of nodes in model.json: protobuf's AttrValue as JSON, in which int64 are texts, and texts are base64 or lists of bytes.

type AttributeFields = Readonly<Record<string, unknown>>;

const fieldsOf = ({ attributes }: TfjsNode, name: string): AttributeFields =>
  (attributes[name] ?? {}) as AttributeFields;

export function intAttribute(node: TfjsNode, name: string, otherwise = 0): number {
  const { i } = fieldsOf(node, name);
  return i === undefined ? otherwise : Number(i);
}

export function floatAttribute(node: TfjsNode, name: string, otherwise: number): number {
  const { f } = fieldsOf(node, name);
  return f === undefined ? otherwise : Number(f);
}

export const flagAttribute = (node: TfjsNode, ...names: string[]): boolean =>
  names.some((name) => fieldsOf(node, name)['b'] === true);

export function textAttribute(node: TfjsNode, name: string, otherwise: string): string {
  const { s } = fieldsOf(node, name);
  return s === undefined ? otherwise : textOf(s);
}

export function intsAttribute(node: TfjsNode, name: string): number[] {
  const { i } = (fieldsOf(node, name)['list'] ?? {}) as AttributeFields;
  return Array.isArray(i) ? i.map(Number) : [];
}

export function textsAttribute(node: TfjsNode, name: string): string[] {
  const { s } = (fieldsOf(node, name)['list'] ?? {}) as AttributeFields;
  return Array.isArray(s) ? s.map(textOf) : [];
}

/** Numbers of TensorFlow's types (DataType), which some converters write as names. */
export function typeAttribute(node: TfjsNode, name: string): 'float' | 'int' | 'bool' | 'other' {
  const { type } = fieldsOf(node, name);
  if (type === 1 || type === 'DT_FLOAT') return 'float';
  if (type === 3 || type === 9 || type === 'DT_INT32' || type === 'DT_INT64') return 'int';
  return type === 10 || type === 'DT_BOOL' ? 'bool' : 'other';
}

/** Dimensions of an input; −1 is unknown. */
export function shapeAttribute(node: TfjsNode, name: string): number[] {
  const { dim } = (fieldsOf(node, name)['shape'] ?? {}) as AttributeFields;
  return Array.isArray(dim) ? dim.map((each) => Number((each as AttributeFields)['size'] ?? -1)) : [];
}

const textOf = (value: unknown): string =>
  Buffer.from(Array.isArray(value) ? Uint8Array.from(value, Number) : Buffer.from(String(value), 'base64')).toString(
    'latin1',
  );
