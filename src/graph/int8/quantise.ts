import type { GraphParts, Node, Shape } from '../graph.ts';
import { GraphEdit } from './graph-edit.ts';

/** The smallest and the largest number of a value, observed on calibration inputs. */
export interface ValueRange {
  low: number;
  high: number;
}

export type Ranges = ReadonlyMap<string, ValueRange>;

/** How a float x is stored in a byte q: x = scale · (q − zeroPoint). */
interface QuantisationParameters {
  scale: number;
  zeroPoint: number;
}

/** A constant in integers, with one scale and zero point for each output channel. */
interface QuantisedConstant {
  data: Int8Array | Int32Array;
  zeroPoints: Int8Array | Int32Array;
  dtype: 'int8' | 'int32';
  shape: Shape;
  scales: Float32Array;
}

/** Seven bits of a weight are used: with eight, sums of two products overflow 16 bits on processors without VNNI. */
const MAX_WEIGHT = 63;
const MAX_BYTE = 255;

/** Quantised are the results of convolutions and of sums, and the input of each convolution. */
const quantisedOps: readonly string[] = ['Conv', 'Add'];

/** The values whose ranges `quantise` needs. */
export function calibratedNames(graph: GraphParts): string[] {
  const edit = new GraphEdit(graph);
  const names = edit.nodes
    .filter((node) => isQuantised(edit, node))
    .flatMap(({ op, inputs, outputs }) => (op === 'Conv' ? [inputs[0] ?? '', ...outputs] : outputs));
  return [...new Set(names)];
}

/**
 * The graph with convolutions in 8 bits (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference", section 2): weights with a scale for each output channel, values with one scale and zero
 * point for the tensor. Written as QuantizeLinear and DequantizeLinear around float operators, which ONNX Runtime fuses into integer kernels.
 */
export function quantise(graph: GraphParts, ranges: Ranges): GraphParts {
  return new Quantiser(graph, ranges).run();
}

class Quantiser {
  readonly #edit: GraphEdit;
  readonly #ranges: Ranges;
  readonly #nodes: Node[] = [];
  /** Of the quantised values, by name. */
  readonly #parameters = new Map<string, QuantisationParameters>();
  /** The name that nodes read instead of a value's. */
  readonly #renamed = new Map<string, string>();

  constructor(graph: GraphParts, ranges: Ranges) {
    this.#edit = new GraphEdit(graph);
    this.#ranges = ranges;
  }

  run(): GraphParts {
    for (const node of this.#edit.nodes) this.#rewrite(node);
    this.#edit.replaceNodes(this.#nodes);
    return this.#edit.result();
  }

  #rewrite(original: Node): void {
    const node = { ...original, inputs: original.inputs.map((name) => this.#renamed.get(name) ?? name) };
    const [x = ''] = original.inputs;
    const [y = ''] = node.outputs;
    if (node.op === 'Relu' && this.#isNotNegative(x)) this.#renamed.set(y, node.inputs[0] ?? '');
    else if (!isQuantised(this.#edit, original)) this.#nodes.push(node);
    else {
      const inputs = node.op === 'Conv' ? this.#convInputs(original, node) : node.inputs;
      this.#nodes.push({ ...node, inputs, outputs: [`${y}.float`] });
      this.#renamed.set(y, this.#quantise(y, `${y}.float`, this.#isRectified(y)));
    }
  }

  /** Quantises and dequantises `float`; returns the name of the result. */
  #quantise(name: string, float: string, rectified: boolean): string {
    const parameters = parametersOf(this.#rangeOf(name), rectified);
    this.#parameters.set(name, parameters);
    return this.#roundTrip(name, float, parameters);
  }

  #roundTrip(name: string, float: string, { scale, zeroPoint }: QuantisationParameters): string {
    const parameterNames = [
      this.#edit.addConstant(`${name}.scale`, Float32Array.of(scale), []),
      this.#edit.addConstant(`${name}.zero`, Uint8Array.of(zeroPoint), [], 'uint8'),
    ];
    this.#push('QuantizeLinear', [float, ...parameterNames], `${name}.bytes`);
    return this.#push('DequantizeLinear', [`${name}.bytes`, ...parameterNames], `${name}.dequantised`);
  }

  /** The input, weights and bias of a convolution, each quantised and dequantised; the bias has the scale of the sums. */
  #convInputs({ inputs: [x = ''] }: Node, { inputs: [renamed = '', w = '', b] }: Node): string[] {
    const edit = this.#edit;
    let parameters = this.#parameters.get(x);
    let read = renamed;
    if (parameters === undefined) {
      parameters = this.#pooledParameters(x) ?? parametersOf(this.#rangeOf(x), this.#isNotNegative(x));
      this.#parameters.set(x, parameters);
      read = this.#roundTrip(x, renamed, parameters);
      this.#renamed.set(x, read);
    }
    const shape = edit.constant(w)?.shape ?? [];
    const { bytes, scales } = quantiseWeights(edit.floats(w) ?? new Float32Array(0), shape);
    const weights = this.#constant(w, {
      data: bytes,
      zeroPoints: new Int8Array(scales.length),
      dtype: 'int8',
      shape,
      scales,
    });
    if (b === undefined) return [read, weights];
    const inputScale = parameters.scale;
    const biasScales = scales.map((scale) => scale * inputScale);
    const counts = Int32Array.from(edit.floats(b) ?? [], (shift, c) => Math.round(shift / (biasScales[c] as number)));
    const zeroPoints = new Int32Array(biasScales.length);
    return [
      read,
      weights,
      this.#constant(b, { data: counts, zeroPoints, dtype: 'int32', shape: [biasScales.length], scales: biasScales }),
    ];
  }

  /** Adds a quantised constant; returns the name of its dequantised floats. */
  #constant(name: string, { data, zeroPoints, dtype, shape, scales }: QuantisedConstant): string {
    const edit = this.#edit;
    const channels = [scales.length];
    const terms = [
      edit.addConstant(`${name}.bytes`, data, shape, dtype),
      edit.addConstant(`${name}.scale`, scales, channels),
      edit.addConstant(`${name}.zero`, zeroPoints, channels, dtype),
    ];
    return this.#push('DequantizeLinear', terms, `${name}.dequantised`, { axis: 0 });
  }

  /** A maximum of bytes is one of them, so pooling keeps the parameters of its input. */
  #pooledParameters(name: string): QuantisationParameters | undefined {
    const maker = this.#edit.producer(name);
    if (maker?.op === 'Relu') return this.#pooledParameters(maker.inputs[0] ?? '');
    const [x = ''] = maker?.inputs ?? [];
    return maker?.op === 'MaxPool' ? (this.#parameters.get(x) ?? this.#pooledParameters(x)) : undefined;
  }

  /** Whether all readers of the value apply ReLU, which quantisation without negative numbers then does. */
  #isRectified(name: string): boolean {
    const readers = this.#edit.consumers(name);
    return (
      readers.length > 0 &&
      readers.every(({ op, outputs: [y = ''] }) => op === 'Relu' || (commutesWithRelu(op) && this.#isRectified(y)))
    );
  }

  /** Whether the value, quantised if it is, has no negative numbers. */
  #isNotNegative(name: string): boolean {
    const parameters = this.#parameters.get(name);
    if (parameters !== undefined) return parameters.zeroPoint === 0;
    const maker = this.#edit.producer(name);
    if (maker?.op === 'Relu') return true;
    return (
      maker !== undefined && commutesWithRelu(maker.op) && maker.inputs.every((input) => this.#isNotNegative(input))
    );
  }

  #rangeOf(name: string): ValueRange {
    const range = this.#ranges.get(name);
    if (range === undefined) throw new RangeError(`the range of "${name}" is missing`);
    return range;
  }

  #push(op: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = {}): string {
    this.#nodes.push({ op, domain: '', inputs, outputs: [output], attributes });
    return output;
  }
}

/** A convolution with constant weights, or a sum of two values that are not constant. */
const isQuantised = (edit: GraphEdit, { op, inputs }: Node): boolean =>
  quantisedOps.includes(op) &&
  (op === 'Conv') === (edit.constant(inputs[1]) !== undefined) &&
  edit.constant(inputs[0]) === undefined;

/** Operators that commute with ReLU. */
const commutesWithRelu = (op: string): boolean => op === 'MaxPool' || op === 'Concat';

/** Zero must be exact, because images are padded with it. */
function parametersOf({ low, high }: ValueRange, rectified: boolean): QuantisationParameters {
  const min = rectified ? 0 : Math.min(0, low);
  const scale = Math.max(Math.max(0, high) - min, Number.EPSILON) / MAX_BYTE;
  return { scale, zeroPoint: Math.round(-min / scale) };
}

function quantiseWeights(weights: Float32Array, shape: Shape): { bytes: Int8Array; scales: Float32Array } {
  const channels = Number(shape[0] ?? 1);
  const size = weights.length / channels;
  const scales = Float32Array.from({ length: channels }, (_, c) => {
    const max = weights.subarray(c * size, (c + 1) * size).reduce((a, w) => Math.max(a, Math.abs(w)), 0);
    return Math.max(max, Number.EPSILON) / MAX_WEIGHT;
  });
  const bytes = Int8Array.from(weights, (w, i) => Math.round(w / (scales[Math.floor(i / size)] as number)));
  return { bytes, scales };
}
