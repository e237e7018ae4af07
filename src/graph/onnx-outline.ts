import { fieldsOf, textOf } from './protobuf-reader.ts';

/** A value of a graph as the file declares it. */
export interface OnnxValue {
  name: string;
  /** ONNX' number of its element type; 0 if it is no tensor. */
  type: number;
  rank: number | null;
}

/** What a foreign ONNX file says of itself, without its weights. */
export interface OnnxOutline {
  /** Of its nodes, those of inner graphs included: domain and op. */
  ops: ReadonlySet<string>;
  /** Inputs that are no weights. */
  inputs: readonly OnnxValue[];
  outputs: readonly OnnxValue[];
  /** Whether weights are in further files. */
  hasExternalData: boolean;
  /** Whether it defines functions of its own. */
  hasFunctions: boolean;
}

/** Levels of graphs in graphs: more are no model, but an attack on the stack. */
const MAX_DEPTH = 8;

/** Throws a RangeError for bytes that are no ONNX file, or one that is cut off. */
export function outlineOnnx(bytes: Uint8Array): OnnxOutline {
  const outline = {
    ...{ ops: new Set<string>(), inputs: [] as OnnxValue[], outputs: [] as OnnxValue[] },
    ...{ hasExternalData: false, hasFunctions: false },
  };
  let graphs = 0;
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (field === 25) outline.hasFunctions = true;
    if (field !== 7 || part === undefined) continue;
    graphs++;
    readGraph(part, outline, 0);
  }
  if (graphs !== 1) throw new RangeError('it has no graph');
  return outline;
}

type Mutable = { -readonly [K in keyof OnnxOutline]: OnnxOutline[K] } & {
  ops: Set<string>;
  inputs: OnnxValue[];
  outputs: OnnxValue[];
};

function readGraph(bytes: Uint8Array, outline: Mutable, depth: number): void {
  if (depth > MAX_DEPTH) throw new RangeError('its graphs are nested too deeply');
  const weights = new Set<string>();
  const inputs: OnnxValue[] = [];
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 1) readNode(part, outline, depth);
    else if (field === 5) weights.add(readWeight(part, outline));
    else if (field === 11) inputs.push(readValue(part));
    else if (field === 12 && depth === 0) outline.outputs.push(readValue(part));
  }
  if (depth === 0) outline.inputs.push(...inputs.filter(({ name }) => !weights.has(name)));
}

function readNode(bytes: Uint8Array, outline: Mutable, depth: number): void {
  let [op, domain] = ['', ''];
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 4) op = textOf(part);
    else if (field === 7) domain = textOf(part);
    else if (field === 5) {
      for (const inner of fieldsOf(part)) {
        if (inner.bytes === undefined) continue;
        if (inner.field === 6 || inner.field === 11) readGraph(inner.bytes, outline, depth + 1);
        else if (inner.field === 5) readWeight(inner.bytes, outline);
      }
    }
  }
  outline.ops.add(`${domain === 'ai.onnx' ? '' : domain}:${op}`);
}

/** The name of a weight. Field 13 has the places of external data, 14 is 1 for them. */
function readWeight(bytes: Uint8Array, outline: Mutable): string {
  let name = '';
  for (const { field, bytes: part, value } of fieldsOf(bytes)) {
    if (field === 8 && part !== undefined) name = textOf(part);
    else if (field === 13 || (field === 14 && value === 1)) outline.hasExternalData = true;
  }
  return name;
}

function readValue(bytes: Uint8Array): OnnxValue {
  let [name, type, rank]: [string, number, number | null] = ['', 0, null];
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 1) name = textOf(part);
    if (field !== 2) continue;
    for (const kind of fieldsOf(part)) {
      if (kind.field !== 1 || kind.bytes === undefined) continue;
      for (const { field: own, bytes: shape, value = 0 } of fieldsOf(kind.bytes)) {
        if (own === 1) type = value;
        else if (own === 2 && shape !== undefined) rank = [...fieldsOf(shape)].filter((dim) => dim.field === 1).length;
      }
    }
  }
  return { name, type, rank };
}
