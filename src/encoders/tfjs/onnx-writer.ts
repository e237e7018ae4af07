import type { Attribute, Constant, ElementType, GraphParts, Node, Shape, Value } from '../../graph/graph.ts';
import { encodeModel } from '../../graph/onnx.ts';

/** Of a value of a foreign graph: all whole numbers have 64 bits, as ONNX' shapes, axes and indices do. */
export type ValueKind = 'float' | 'int' | 'bool';

const elementOf: Readonly<Record<ValueKind, ElementType>> = { float: 'float32', int: 'int64', bool: 'bool' };

export interface WrittenNode {
  attributes?: Readonly<Record<string, Attribute>>;
  /** Default: that of the first input. */
  kind?: ValueKind;
  domain?: string;
}

/** Writes an ONNX graph whose shapes are known only when it runs: values are names with a kind. */
export class OnnxWriter {
  readonly #nodes: Node[] = [];
  readonly #constants: Constant[] = [];
  readonly #inputs: Value[] = [];
  readonly #outputs: Value[] = [];
  readonly #kinds = new Map<string, ValueKind>();
  readonly #shared = new Map<string, string>();
  #count = 0;

  kindOf(name: string): ValueKind {
    return this.#kinds.get(name) ?? 'float';
  }

  node(op: string, inputs: readonly string[], options: WrittenNode = {}): string {
    return this.nodes(op, inputs, 1, options)[0] as string;
  }

  /** A node with several outputs. */
  nodes(op: string, inputs: readonly string[], count: number, options: WrittenNode = {}): string[] {
    const { attributes = {}, kind = this.kindOf(inputs[0] ?? ''), domain = '' } = options;
    const outputs = Array.from({ length: count }, () => this.#named(kind));
    this.#nodes.push({ op, domain, inputs, outputs, attributes });
    return outputs;
  }

  /** An input; whole numbers are fed with 32 bits. */
  input(name: string, shape: Shape, kind: ValueKind): string {
    const dtype = kind === 'int' ? 'int32' : elementOf[kind];
    this.#inputs.push({ name, shape, dtype });
    this.#kinds.set(name, kind);
    return kind === 'int' ? this.cast(name, 'int') : name;
  }

  output(value: string, name: string, shape: Shape): void {
    this.#nodes.push({ op: 'Identity', domain: '', inputs: [value], outputs: [name], attributes: {} });
    this.#outputs.push({ name, shape, dtype: elementOf[this.kindOf(value)] });
  }

  cast(value: string, kind: ValueKind): string {
    const to = { float: 1, int: 7, bool: 9 }[kind];
    return this.node('Cast', [value], { attributes: { to }, kind });
  }

  constant(data: Float32Array | readonly number[], shape: Shape, kind: ValueKind): string {
    const name = this.#named(kind);
    this.#constants.push({ name, shape, dtype: elementOf[kind], data: packed(data, kind) });
    return name;
  }

  /** A vector of whole numbers. */
  ints(values: readonly number[]): string {
    return this.#once(`i${values.join()}`, () => this.constant(values, [values.length], 'int'));
  }

  float(value: number): string {
    return this.#once(`f${value}`, () => this.constant(Float32Array.of(value), [], 'float'));
  }

  parts(name: string): GraphParts {
    return { name, nodes: this.#nodes, constants: this.#constants, inputs: this.#inputs, outputs: this.#outputs };
  }

  encode(name: string): Uint8Array {
    return encodeModel(this.parts(name));
  }

  #once(key: string, create: () => string): string {
    const name = this.#shared.get(key) ?? create();
    this.#shared.set(key, name);
    return name;
  }

  #named(kind: ValueKind): string {
    const name = `v${this.#count++}`;
    this.#kinds.set(name, kind);
    return name;
  }
}

function packed(data: Float32Array | readonly number[], kind: ValueKind): ArrayBufferView {
  if (kind === 'float') return data instanceof Float32Array ? data : Float32Array.from(data);
  return kind === 'bool' ? Uint8Array.from(data) : BigInt64Array.from(data, (value) => BigInt(value));
}
