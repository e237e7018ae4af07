/** Element types of a graph's values, by their ONNX number. */
export const elementTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9 } as const;
export type ElementType = keyof typeof elementTypes;

/** A dimension is a number, or a name if the size is known only when the graph runs. */
export type Dim = number | string;
export type Shape = readonly Dim[];

/** The shape of an output whose rank is known only when the graph runs; compared by identity. */
export const unknownShape: Shape = Object.freeze([]);

/** A tensor inside a graph: a name with a shape and a type. */
export interface Value {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: ElementType;
  /** Whether an image batch [N, C, H, W] is stored as [N, C / block, H, W, block]: see `blocked/layout.ts`. */
  readonly blocked?: boolean;
}

/** A node's optional input that is left out. */
export const absent: Value = { name: '', shape: [], dtype: 'float32' };

export interface Constant extends Value {
  readonly data: ArrayBufferView;
}

export type Attribute =
  | number
  | { float: number }
  | string
  | readonly number[]
  | { graph: Graph }
  | { strings: readonly string[] }
  | { floats: Float32Array }
  | { doubles: Float64Array }
  | { tensor: Omit<Constant, 'name'> };

/** The contents of a graph. */
export type GraphParts = Pick<Graph, 'name' | 'nodes' | 'constants' | 'inputs' | 'outputs'>;

export interface Node {
  op: string;
  domain: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
}

export interface NodeOptions {
  attributes?: Readonly<Record<string, Attribute>>;
  dtype?: ElementType;
  domain?: string;
  /** Whether the output is blocked; must be given if an input is, because most operators do not support blocked tensors. */
  blocked?: boolean;
}

/**
 * An ONNX graph under construction. Names are the graph's prefix and a counter, so that equal descriptions give equal bytes:
 * the bytes are the key under which compiled sessions are shared.
 */
export class Graph {
  readonly name: string;
  /** Whether only operators that GPUs support may be used: see `kernels.ts`. */
  readonly portable: boolean;
  readonly nodes: Node[] = [];
  readonly constants: Constant[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly #shared = new Map<string, Constant>();
  #names = 0;

  constructor(name: string, { portable = false } = {}) {
    this.name = name;
    this.portable = portable;
  }

  input(name: string, shape: Shape, dtype: ElementType = 'float32'): Value {
    const value = { name, shape, dtype };
    this.inputs.push(value);
    return value;
  }

  /** Makes `value` an output; with a name, under that name. */
  output(value: Value, name?: string): Value {
    const out = name === undefined ? value : { ...value, name };
    if (name !== undefined) this.#push('Identity', [value], [name], {});
    this.outputs.push(out);
    return out;
  }

  constant(data: ArrayBufferView, shape: Shape, options: { dtype?: ElementType; name?: string } = {}): Constant {
    const { dtype = 'float32', name = this.#nextName() } = options;
    const constant = { name, shape, dtype, data };
    this.constants.push(constant);
    return constant;
  }

  /** A float constant without dimensions; equal numbers share one. */
  scalar(value: number): Constant {
    return this.shared(`f${value}`, () => this.constant(Float32Array.of(value), []));
  }

  /** A vector of int64, as shapes, axes and slice bounds are given; equal vectors share one. */
  ints(values: readonly number[]): Constant {
    const create = (): Constant =>
      this.constant(
        BigInt64Array.from(values, (v) => BigInt(v)),
        [values.length],
        { dtype: 'int64' },
      );
    return this.shared(`i${values.join()}`, create);
  }

  /** The constant of this key, created at its first use. */
  shared(key: string, create: () => Constant): Constant {
    const constant = this.#shared.get(key) ?? create();
    this.#shared.set(key, constant);
    return constant;
  }

  /** Adds a node with one output. */
  node(op: string, inputs: readonly Value[], shape: Shape, options: NodeOptions = {}): Value {
    const { dtype = 'float32', blocked = false } = options;
    const value = { name: this.#nextName(), shape, dtype, ...(blocked ? { blocked } : {}) };
    this.#push(op, inputs, [value.name], options);
    return value;
  }

  /** A value for `nodeInto`, which sets the node that computes it. */
  value(shape: Shape, dtype: ElementType = 'float32'): Value {
    return { name: this.#nextName(), shape, dtype };
  }

  /** Adds a node whose outputs are those given, names included. */
  nodeInto(op: string, inputs: readonly Value[], outputs: readonly Value[], options: NodeOptions = {}): void {
    this.#push(
      op,
      inputs,
      outputs.map((value) => value.name),
      options,
    );
  }

  #push(op: string, inputs: readonly Value[], outputs: readonly string[], options: NodeOptions): void {
    const { attributes = {}, domain = '', blocked } = options;
    if (blocked === undefined && inputs.some((value) => value.blocked)) {
      throw new RangeError(`${op} does not support a blocked input`);
    }
    this.nodes.push({ op, domain, inputs: inputs.map((value) => value.name), outputs, attributes });
  }

  #nextName(): string {
    return `${this.name}_${this.#names++}`;
  }
}
