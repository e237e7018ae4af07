/** Element types of a graph's values, by their ONNX number. */
export const elementTypes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 } as const;
export type ElementType = keyof typeof elementTypes;

/** A dimension is a number, or a name where the size is known only when the graph runs. */
export type Dim = number | string;
export type Shape = readonly Dim[];

/** A tensor inside a graph: nothing but a name with a shape and a type. */
export interface Value {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: ElementType;
}

export interface Constant extends Value {
  readonly data: ArrayBufferView;
}

export type Attribute = number | { float: number } | string | readonly number[] | { graph: Graph };

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
}

/**
 * An ONNX graph under construction. Names count up from the graph's prefix, so that equal descriptions give equal bytes:
 * the bytes are the key under which compiled sessions are shared.
 */
export class Graph {
  readonly name: string;
  readonly nodes: Node[] = [];
  readonly constants: Constant[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly #scalars = new Map<string, Constant>();
  #names = 0;

  constructor(name: string) {
    this.name = name;
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
    const { dtype = 'float32', name = this.#fresh() } = options;
    const constant = { name, shape, dtype, data };
    this.constants.push(constant);
    return constant;
  }

  /** A float constant without dimensions; equal numbers share one. */
  scalar(value: number): Constant {
    return this.#shared(`f${value}`, () => this.constant(Float32Array.of(value), []));
  }

  /** A vector of int64, as shapes, axes and slice bounds are given; equal vectors share one. */
  ints(values: readonly number[]): Constant {
    const make = (): Constant =>
      this.constant(
        BigInt64Array.from(values, (v) => BigInt(v)),
        [values.length],
        { dtype: 'int64' },
      );
    return this.#shared(`i${values.join()}`, make);
  }

  /** Adds a node with one output. */
  node(op: string, inputs: readonly Value[], shape: Shape, options: NodeOptions = {}): Value {
    const value = { name: this.#fresh(), shape, dtype: options.dtype ?? 'float32' };
    this.#push(op, inputs, [value.name], options);
    return value;
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
    const { attributes = {}, domain = '' } = options;
    this.nodes.push({ op, domain, inputs: inputs.map((value) => value.name), outputs, attributes });
  }

  #shared(key: string, make: () => Constant): Constant {
    const known = this.#scalars.get(key) ?? make();
    this.#scalars.set(key, known);
    return known;
  }

  #fresh(): string {
    return `${this.name}_${this.#names++}`;
  }
}
