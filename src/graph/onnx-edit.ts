import { elementTypes } from './graph.ts';
import { fieldsOf, textOf } from './onnx-fields.ts';
import { bytesField, concatBytes, stringField, varintField } from './protobuf.ts';

/**
 * The same file without a node, and with another value as an output in place of the node's: a tensor of 32-bit floats. What the node made
 * must be used by nothing else.
 */
export function withoutNode(bytes: Uint8Array, node: { input: string; output: string }): Uint8Array {
  const parts = [...fieldsOf(bytes)].map(({ field, bytes: part, whole }) =>
    field === 7 && part !== undefined ? bytesField(7, editedGraph(part, node)) : whole,
  );
  return concatBytes(parts);
}

function editedGraph(bytes: Uint8Array, { input, output }: { input: string; output: string }): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { field, bytes: part, whole } of fieldsOf(bytes)) {
    const makes = field === 1 && part !== undefined && hasText(part, 2, output);
    const declares = field === 12 && part !== undefined && hasText(part, 1, output);
    if (makes) continue;
    parts.push(declares ? bytesField(12, floatTensor(input)) : whole);
  }
  return concatBytes(parts);
}

const hasText = (bytes: Uint8Array, field: number, text: string): boolean =>
  [...fieldsOf(bytes)].some((own) => own.field === field && own.bytes !== undefined && textOf(own.bytes) === text);

/** Without its shape. */
const floatTensor = (name: string): Uint8Array =>
  concatBytes([stringField(1, name), bytesField(2, bytesField(1, varintField(1, elementTypes.float32)))]);

/** The file as it was before entries were appended to its metadata. */
export function withoutMetadata(bytes: Uint8Array, isOurs: (key: string) => boolean): Uint8Array {
  let end = 0;
  let at = 0;
  for (const { field, bytes: part, whole } of fieldsOf(bytes)) {
    at += whole.length;
    if (field !== 14 || part === undefined || !isOurs(keyOf(part))) end = at;
  }
  return bytes.subarray(0, end);
}

function keyOf(bytes: Uint8Array): string {
  for (const { field, bytes: part } of fieldsOf(bytes)) if (field === 1 && part !== undefined) return textOf(part);
  return '';
}
