import { BadData, NotSupported } from '../../errors/errors.ts';

/** A weight of a TensorFlow.js model; whole numbers are 64-bit in ONNX graphs of ours, so they are numbers here. */
export interface TfjsWeight {
  name: string;
  shape: readonly number[];
  kind: 'float' | 'int' | 'bool';
  data: Float32Array | readonly number[];
}

/** A node of a graph model. */
export interface TfjsNode {
  name: string;
  op: string;
  inputs: readonly string[];
  attributes: Readonly<Record<string, unknown>>;
}

/** A graph model: the nodes as they are, the weights decoded. */
export interface TfjsGraph {
  nodes: readonly TfjsNode[];
  weights: ReadonlyMap<string, TfjsWeight>;
  /** Names of its outputs, with the place if a node has several; empty: those that no node reads. */
  outputs: readonly string[];
}

/** Names of a model's files of weights, in order, relative to model.json. */
export function weightFiles(json: unknown): string[] {
  const groups = listOf(objectOf(json, 'model.json')['weightsManifest'], 'weightsManifest');
  return groups.flatMap((group) =>
    listOf(objectOf(group, 'weightsManifest')['paths'], 'paths').map((path) => {
      // the file comes from somebody else: it names files of its folder, nothing else
      if (typeof path !== 'string' || !/^[\w.-]+$/.test(path) || path.startsWith('.'))
        throw malformed(`the file of weights "${String(path)}" has no plain name`);
      return path;
    }),
  );
}

/** Throws {@link BadData} for a file that is no graph model, {@link NotSupported} for control flow. */
export function readGraphModel(json: unknown, bytes: Uint8Array): TfjsGraph {
  const model = objectOf(json, 'model.json');
  const topology = objectOf(model['modelTopology'], 'modelTopology');
  if (!Array.isArray(topology['node'])) throw malformed('modelTopology has no nodes: it is no graph model');
  const functions = objectOf(topology['library'] ?? {}, 'library')['function'];
  if (Array.isArray(functions) && functions.length > 0)
    throw new NotSupported('a TensorFlow.js model with functions cannot be converted', {
      detail: `It has ${functions.length}, for control flow.`,
      hint: 'Export it to ONNX with the tool of the library that it comes from.',
    });
  const nodes = topology['node'].map((value): TfjsNode => {
    const node = objectOf(value, 'node');
    const inputs = listOf(node['input'] ?? [], 'input').map(String);
    return {
      ...{ name: String(node['name']), op: String(node['op']) },
      inputs: inputs.filter((name) => !name.startsWith('^')), // only an order of execution
      attributes: objectOf(node['attr'] ?? {}, 'attr'),
    };
  });
  const signature = objectOf(model['signature'] ?? model['userDefinedMetadata'] ?? {}, 'signature');
  const named = objectOf(signature['outputs'] ?? {}, 'outputs');
  const outputs = Object.values(named).map((output) => String(objectOf(output, 'output')['name']).replace(/:0$/, ''));
  return { nodes, weights: readWeights(model, bytes), outputs };
}

/** Bytes of an element as it is stored. */
const widths: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 };

/** All weights of the manifest, with those that are stored in fewer bits restored to their values. */
export function readWeights(model: Record<string, unknown>, bytes: Uint8Array): Map<string, TfjsWeight> {
  const weights = new Map<string, TfjsWeight>();
  let at = 0;
  for (const group of listOf(model['weightsManifest'], 'weightsManifest')) {
    for (const value of listOf(objectOf(group, 'weightsManifest')['weights'], 'weights')) {
      const spec = objectOf(value, 'weight');
      const [name, dtype] = [String(spec['name']), String(spec['dtype'])];
      const shape = listOf(spec['shape'], 'shape').map(Number);
      const quantised = spec['quantization'] === undefined ? undefined : objectOf(spec['quantization'], 'quantization');
      const size = shape.reduce((product, dim) => product * dim, 1);
      const width = widths[String(quantised?.['dtype'] ?? dtype)];
      if (width === undefined) throw malformed(`weight "${name}" has the type ${dtype}`);
      if (!Number.isSafeInteger(size) || size < 0 || at + size * width > bytes.length)
        throw malformed(`the files of weights end before weight "${name}"`);
      const raw = new Uint8Array(bytes.subarray(at, at + size * width)); // a copy is aligned, and `slice` of a Buffer is none
      at += size * width;
      weights.set(name, { name, shape, ...decode(raw, dtype, quantised) });
    }
  }
  if (at !== bytes.length) throw malformed(`the files of weights have ${bytes.length - at} bytes too many`);
  return weights;
}

function decode(
  raw: Uint8Array,
  dtype: string,
  quantised: Record<string, unknown> | undefined,
): Pick<TfjsWeight, 'kind' | 'data'> {
  const kind = dtype === 'float32' ? 'float' : dtype === 'bool' ? 'bool' : 'int';
  const values = stored(raw, String(quantised?.['dtype'] ?? dtype));
  const [scale, min] = [Number(quantised?.['scale'] ?? 1), Number(quantised?.['min'] ?? 0)];
  const isScaled = quantised !== undefined && quantised['dtype'] !== 'float16';
  if (values instanceof Float32Array) return { kind: 'float', data: values };
  if (kind === 'float')
    return { kind, data: Float32Array.from(values, (value) => (isScaled ? value * scale + min : value)) };
  return { kind, data: Array.from(values, (value) => (isScaled ? Math.round(value * scale + min) : value)) };
}

function stored({ buffer }: Uint8Array, dtype: string): ArrayLike<number> {
  if (dtype === 'float32') return new Float32Array(buffer);
  if (dtype === 'int32') return new Int32Array(buffer);
  if (dtype === 'uint16') return new Uint16Array(buffer);
  if (dtype === 'float16') return Array.from(new Uint16Array(buffer), fromHalf);
  return new Uint8Array(buffer);
}

/** IEEE 754 half precision. */
function fromHalf(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * 2 ** (exponent - 25) * (1024 + fraction);
}

/** An object of a file that somebody else wrote. */
export function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw malformed(`${what} is no object`);
}

export function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed(`${what} is no list`);
}

export const malformed = (detail: string): BadData =>
  new BadData('the file is no TensorFlow.js model', {
    detail,
    hint: 'Give the folder with model.json and all files of weights.',
  });
