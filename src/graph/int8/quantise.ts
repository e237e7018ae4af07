import type { GraphParts, Node, Shape } from '../graph.ts';
import { GraphEdit } from './graph-edit.ts';

/** The smallest and the largest number that a value was seen to hold. */
export interface ValueRange {
  low: number;
  high: number;
}

export type Ranges = ReadonlyMap<string, ValueRange>;

/** How floats are held in a byte: x = scale · (q − zero). */
interface Coding {
  scale: number;
  zero: number;
}

/** A constant as it is written. */
interface Whole {
  data: Int8Array | Int32Array;
  zeros: Int8Array | Int32Array;
  dtype: 'int8' | 'int32';
  shape: Shape;
  scales: Float32Array;
}

/** Seven bits of a weight are used: with eight, sums of two products overflow 16 bits on processors without VNNI. */
const largestWeight = 63;
const largestByte = 255;

/** What is held in bytes: results of convolutions and of sums, and whatever a convolution reads. */
const heldOps: readonly string[] = ['Conv', 'Add'];

/** Names whose ranges `quantise` must know. */
export function namesToWatch(graph: GraphParts): string[] {
  const edit = new GraphEdit(graph);
  const names = edit.nodes
    .filter((node) => isHeld(edit, node))
    .flatMap(({ op, inputs, outputs }) => (op === 'Conv' ? [inputs[0] ?? '', ...outputs] : outputs));
  return [...new Set(names)];
}

/**
 * The graph with convolutions in 8 bits (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference", section 2): weights by a scale for each output channel, values by one scale and zero for the
 * tensor. Written as QuantizeLinear and DequantizeLinear around float operators, which ONNX Runtime fuses into integer kernels.
 */
export function quantise(graph: GraphParts, ranges: Ranges): GraphParts {
  return new Quantiser(graph, ranges).run();
}

class Quantiser {
  readonly #edit: GraphEdit;
  readonly #ranges: Ranges;
  readonly #nodes: Node[] = [];
  /** Values held in bytes, by name. */
  readonly #codings = new Map<string, Coding>();
  /** Who reads a value reads this name instead. */
  readonly #renamed = new Map<string, string>();

  constructor(graph: GraphParts, ranges: Ranges) {
    this.#edit = new GraphEdit(graph);
    this.#ranges = ranges;
  }

  run(): GraphParts {
    for (const node of this.#edit.nodes) this.#rewrite(node);
    this.#edit.replaceNodes(this.#nodes);
    return this.#edit.done();
  }

  #rewrite(original: Node): void {
    const node = { ...original, inputs: original.inputs.map((name) => this.#renamed.get(name) ?? name) };
    const [x = ''] = original.inputs;
    const [y = ''] = node.outputs;
    if (node.op === 'Relu' && this.#isPositive(x)) this.#renamed.set(y, node.inputs[0] ?? '');
    else if (!isHeld(this.#edit, original)) this.#nodes.push(node);
    else {
      const inputs = node.op === 'Conv' ? this.#convInputs(original, node) : node.inputs;
      this.#nodes.push({ ...node, inputs, outputs: [`${y}.exact`] });
      this.#renamed.set(y, this.#hold(y, `${y}.exact`, this.#isRectified(y)));
    }
  }

  /** Through bytes and back; returns the name of what comes back. */
  #hold(name: string, exact: string, rectified: boolean): string {
    const coding = codingOf(this.#rangeOf(name), rectified);
    this.#codings.set(name, coding);
    return this.#roundTrip(name, exact, coding);
  }

  #roundTrip(name: string, exact: string, { scale, zero }: Coding): string {
    const terms = [
      this.#edit.add(`${name}.scale`, Float32Array.of(scale), []),
      this.#edit.add(`${name}.zero`, Uint8Array.of(zero), [], 'uint8'),
    ];
    this.#push('QuantizeLinear', [exact, ...terms], `${name}.bytes`);
    return this.#push('DequantizeLinear', [`${name}.bytes`, ...terms], `${name}.held`);
  }

  /** What a convolution reads, its weights and its shift, each through bytes; the shift is held in the unit of the sums. */
  #convInputs({ inputs: [x = ''] }: Node, { inputs: [held = '', w = '', b] }: Node): string[] {
    const edit = this.#edit;
    let coding = this.#codings.get(x);
    let read = held;
    if (coding === undefined) {
      coding = this.#pooledCoding(x) ?? codingOf(this.#rangeOf(x), this.#isPositive(x));
      this.#codings.set(x, coding);
      read = this.#roundTrip(x, held, coding);
      this.#renamed.set(x, read);
    }
    const shape = edit.constant(w)?.shape ?? [];
    const { bytes, scales } = weightsInBytes(edit.floats(w) ?? new Float32Array(0), shape);
    const weights = this.#constant(w, {
      data: bytes,
      zeros: new Int8Array(scales.length),
      dtype: 'int8',
      shape,
      scales,
    });
    if (b === undefined) return [read, weights];
    const unit = coding.scale;
    const units = scales.map((scale) => scale * unit);
    const counts = Int32Array.from(edit.floats(b) ?? [], (shift, c) => Math.round(shift / (units[c] as number)));
    const zeros = new Int32Array(units.length);
    return [
      read,
      weights,
      this.#constant(b, { data: counts, zeros, dtype: 'int32', shape: [units.length], scales: units }),
    ];
  }

  /** A constant in whole numbers, one scale for each output channel; returns the name of the floats that it stands for. */
  #constant(name: string, { data, zeros, dtype, shape, scales }: Whole): string {
    const edit = this.#edit;
    const channels = [scales.length];
    const terms = [
      edit.add(`${name}.bytes`, data, shape, dtype),
      edit.add(`${name}.scale`, scales, channels),
      edit.add(`${name}.zero`, zeros, channels, dtype),
    ];
    return this.#push('DequantizeLinear', terms, `${name}.held`, { axis: 0 });
  }

  /** The largest of bytes is one of them: what is pooled stays as it is coded. */
  #pooledCoding(name: string): Coding | undefined {
    const maker = this.#edit.maker(name);
    if (maker?.op === 'Relu') return this.#pooledCoding(maker.inputs[0] ?? '');
    const [x = ''] = maker?.inputs ?? [];
    return maker?.op === 'MaxPool' ? (this.#codings.get(x) ?? this.#pooledCoding(x)) : undefined;
  }

  /** Whether all who read the value take the larger of it and 0, which is then done by the bytes: they hold nothing below 0. */
  #isRectified(name: string): boolean {
    const readers = this.#edit.readers(name);
    return (
      readers.length > 0 &&
      readers.every(({ op, outputs: [y = ''] }) => op === 'Relu' || (passesOn(op) && this.#isRectified(y)))
    );
  }

  /** Whether the value as it is held is nowhere below 0. */
  #isPositive(name: string): boolean {
    const coding = this.#codings.get(name);
    if (coding !== undefined) return coding.zero === 0;
    const maker = this.#edit.maker(name);
    if (maker?.op === 'Relu') return true;
    return maker !== undefined && passesOn(maker.op) && maker.inputs.every((input) => this.#isPositive(input));
  }

  #rangeOf(name: string): ValueRange {
    const range = this.#ranges.get(name);
    if (range === undefined) throw new RangeError(`the range of "${name}" is not known`);
    return range;
  }

  #push(op: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = {}): string {
    this.#nodes.push({ op, domain: '', inputs, outputs: [output], attributes });
    return output;
  }
}

/** A convolution with constant weights, or a sum of two values that both change. */
const isHeld = (edit: GraphEdit, { op, inputs }: Node): boolean =>
  heldOps.includes(op) &&
  (op === 'Conv') === (edit.constant(inputs[1]) !== undefined) &&
  edit.constant(inputs[0]) === undefined;

/** Operators that only move numbers about: the larger of a result and 0 is a result of larger ones. */
const passesOn = (op: string): boolean => op === 'MaxPool' || op === 'Concat';

/** Zero must be held exactly: images are padded with it. */
function codingOf({ low, high }: ValueRange, rectified: boolean): Coding {
  const min = rectified ? 0 : Math.min(0, low);
  const scale = Math.max(Math.max(0, high) - min, Number.EPSILON) / largestByte;
  return { scale, zero: Math.round(-min / scale) };
}

function weightsInBytes(weights: Float32Array, shape: Shape): { bytes: Int8Array; scales: Float32Array } {
  const channels = Number(shape[0] ?? 1);
  const size = weights.length / channels;
  const scales = Float32Array.from({ length: channels }, (_, c) => {
    const largest = weights.subarray(c * size, (c + 1) * size).reduce((max, w) => Math.max(max, Math.abs(w)), 0);
    return Math.max(largest, Number.EPSILON) / largestWeight;
  });
  const bytes = Int8Array.from(weights, (w, i) => Math.round(w / (scales[Math.floor(i / size)] as number)));
  return { bytes, scales };
}
