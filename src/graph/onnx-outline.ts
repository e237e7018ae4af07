import { elementTypes } from './graph.ts';
import { fieldsOf, hasExternalData, int64sOf, nodeOf, textOf } from './onnx-fields.ts';

/** A value of a graph as the file declares it. */
export interface OnnxValue {
  name: string;
  /** ONNX' number of its element type; 0 if it is no tensor. */
  type: number;
  /** Its dimensions, null for one that is not fixed; null if the file does not say. */
  dims: (number | null)[] | null;
}

/** Operator sets that ONNX Runtime has itself; others would be libraries. */
export const runtimeDomains: ReadonlySet<string> = new Set(['', 'ai.onnx.ml', 'com.microsoft']);

/** ONNX' numbers of element types, with those that only foreign graphs have. */
export const valueTypes = { ...elementTypes, string: 8, float64: 11 } as const;

/** A node that makes maps of class to probability out of a tensor of probabilities, as converters of scikit-learn add it. */
interface ZipMap {
  input: string;
  output: string;
}

/** What a foreign ONNX file says of itself, without its weights. */
export interface OnnxOutline {
  /** Of its nodes, those of inner graphs and functions included: domain and op. */
  ops: ReadonlySet<string>;
  /** Inputs that are no weights. */
  inputs: readonly OnnxValue[];
  outputs: readonly OnnxValue[];
  /** Whether weights are in further files. */
  hasExternalData: boolean;
  /** The functions that it defines itself: domain and name. */
  functions: ReadonlySet<string>;
  /** What its maker wrote into it, by key. */
  metadata: ReadonlyMap<string, string>;
  /** The classes that its last classifier of `ai.onnx.ml` answers with. */
  classes: readonly string[] | null;
  zipMaps: readonly ZipMap[];
  /** By the name of a value: the op that makes it, and the first input of that. */
  makers: ReadonlyMap<string, ValueMaker>;
}

interface ValueMaker {
  op: string;
  input: string;
}

/** Levels of graphs in graphs: more are no model, but an attack on the stack. */
const MAX_DEPTH = 8;

const classLabels = new Set(['classlabels_strings', 'classlabels_int64s', 'classlabels_ints']);

/** Throws a RangeError for bytes that are no ONNX file, or one that is cut off. */
export function outlineOnnx(bytes: Uint8Array): OnnxOutline {
  const outline: Mutable = {
    ...{ ops: new Set(), inputs: [], outputs: [], hasExternalData: hasExternalData(bytes), functions: new Set() },
    ...{ metadata: new Map(), classes: null, zipMaps: [], makers: new Map() },
  };
  let graphs = 0;
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 25) readFunction(part, outline);
    else if (field === 14) outline.metadata.set(...readEntry(part));
    else if (field === 7) {
      graphs++;
      readGraph(part, outline, 0);
    }
  }
  if (graphs !== 1) throw new RangeError('it has no graph');
  return outline;
}

type Mutable = { -readonly [K in keyof OnnxOutline]: OnnxOutline[K] } & {
  ops: Set<string>;
  inputs: OnnxValue[];
  outputs: OnnxValue[];
  functions: Set<string>;
  metadata: Map<string, string>;
  zipMaps: ZipMap[];
  makers: Map<string, ValueMaker>;
};

function readEntry(bytes: Uint8Array): [string, string] {
  let [key, value] = ['', ''];
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (field === 1 && part !== undefined) key = textOf(part);
    else if (field === 2 && part !== undefined) value = textOf(part);
  }
  return [key, value];
}

function readFunction(bytes: Uint8Array, outline: Mutable): void {
  let [name, domain] = ['', ''];
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 1) name = textOf(part);
    else if (field === 10) domain = textOf(part);
    else if (field === 7) readNode(part, outline, 1);
  }
  outline.functions.add(`${domain}:${name}`);
}

function readGraph(bytes: Uint8Array, outline: Mutable, depth: number): void {
  if (depth > MAX_DEPTH) throw new RangeError('its graphs are nested too deeply');
  const weights = new Set<string>();
  const inputs: OnnxValue[] = [];
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 1) readNode(part, outline, depth);
    else if (field === 5) weights.add(readWeight(part));
    else if (field === 15) weights.add(readSparseWeight(part));
    else if (field === 11) inputs.push(readValue(part));
    else if (field === 12 && depth === 0) outline.outputs.push(readValue(part));
  }
  if (depth === 0) outline.inputs.push(...inputs.filter(({ name }) => !weights.has(name)));
}

function readNode(bytes: Uint8Array, outline: Mutable, depth: number): void {
  const { op, domain, inputs, outputs, attributes } = nodeOf(bytes);
  for (const attribute of attributes) {
    const classes = readAttribute(attribute, outline, depth);
    if (classes !== undefined && depth === 0) outline.classes = classes;
  }
  if (op === 'ZipMap' && inputs.length === 1 && outputs.length === 1 && depth === 0)
    outline.zipMaps.push({ input: inputs[0] ?? '', output: outputs[0] ?? '' });
  if (depth === 0) for (const output of outputs) outline.makers.set(output, { op, input: inputs[0] ?? '' });
  outline.ops.add(`${domain}:${op}`);
}

/** The classes that it lists, if it does. */
function readAttribute(bytes: Uint8Array, outline: Mutable, depth: number): string[] | undefined {
  let name = '';
  const listed: string[] = [];
  for (const inner of fieldsOf(bytes)) {
    const { field, bytes: part } = inner;
    if (field === 1 && part !== undefined) name = textOf(part);
    else if (field === 8 && classLabels.has(name)) for (const label of int64sOf(inner)) listed.push(String(label));
    if (part === undefined) continue;
    if (field === 9 && classLabels.has(name)) listed.push(textOf(part));
    else if (field === 6 || field === 11) readGraph(part, outline, depth + 1);
  }
  return listed.length > 0 ? listed : undefined;
}

/** The name of a weight. */
function readWeight(bytes: Uint8Array): string {
  let name = '';
  for (const { field, bytes: part } of fieldsOf(bytes)) if (field === 8 && part !== undefined) name = textOf(part);
  return name;
}

/** Its values have its name. */
function readSparseWeight(bytes: Uint8Array): string {
  let name = '';
  for (const { field, bytes: part } of fieldsOf(bytes)) if (field === 1 && part !== undefined) name = readWeight(part);
  return name;
}

export function readValue(bytes: Uint8Array): OnnxValue {
  const value: OnnxValue = { name: '', type: 0, dims: null };
  for (const { field, bytes: part } of fieldsOf(bytes)) {
    if (part === undefined) continue;
    if (field === 1) value.name = textOf(part);
    if (field !== 2) continue;
    for (const kind of fieldsOf(part)) {
      if (kind.field !== 1 || kind.bytes === undefined) continue;
      for (const { field: own, bytes: shape, value: type = 0 } of fieldsOf(kind.bytes)) {
        if (own === 1) value.type = type;
        else if (own === 2 && shape !== undefined) value.dims = readDims(shape);
      }
    }
  }
  return value;
}

function readDims(bytes: Uint8Array): (number | null)[] {
  const dims: (number | null)[] = [];
  for (const { field, bytes: dim } of fieldsOf(bytes)) {
    if (field !== 1 || dim === undefined) continue;
    const fixed = [...fieldsOf(dim)].find((own) => own.field === 1)?.value;
    dims.push(fixed !== undefined && fixed > 0 && Number.isSafeInteger(fixed) ? fixed : null);
  }
  return dims;
}
