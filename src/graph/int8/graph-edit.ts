import type { Constant, ElementType, GraphParts, Node, Shape } from '../graph.ts';

/** A finished graph being changed: who makes and who reads each value, and what becomes of it. The graph itself stays as it is. */
export class GraphEdit {
  readonly #graph: GraphParts;
  readonly #constants: Map<string, Constant>;
  readonly #makers = new Map<string, Node>();
  #nodes: Node[];

  constructor(graph: GraphParts) {
    this.#graph = graph;
    this.#constants = new Map(graph.constants.map((constant) => [constant.name, constant]));
    this.#nodes = graph.nodes.map((node) => ({ ...node }));
    for (const node of this.#nodes) for (const output of node.outputs) this.#makers.set(output, node);
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** The node that makes a value; undefined for inputs and constants. */
  maker(name: string): Node | undefined {
    return this.#makers.get(name);
  }

  /** The nodes that read a value. An output of the graph has an Identity of its own. */
  readers(name: string): Node[] {
    return this.#nodes.filter((node) => node.inputs.includes(name));
  }

  constant(name: string | undefined): Constant | undefined {
    return name === undefined ? undefined : this.#constants.get(name);
  }

  floats(name: string | undefined): Float32Array | undefined {
    const data = this.constant(name)?.data;
    return data instanceof Float32Array ? data : undefined;
  }

  /** Adds a constant and returns its name. */
  add(name: string, data: ArrayBufferView, shape: Shape, dtype: ElementType = 'float32'): string {
    this.#constants.set(name, { name, data, shape, dtype });
    return name;
  }

  setInputs(node: Node, inputs: readonly string[]): void {
    node.inputs = inputs;
  }

  /** Takes a node of one output out; who read that reads `instead`. */
  remove(node: Node, instead: string): void {
    const [gone] = node.outputs;
    this.#nodes = this.#nodes.filter((other) => other !== node);
    for (const other of this.#nodes) {
      if (other.inputs.some((name) => name === gone)) {
        other.inputs = other.inputs.map((name) => (name === gone ? instead : name));
      }
    }
  }

  /** The nodes as they are now, in order. */
  replaceNodes(nodes: readonly Node[]): void {
    this.#nodes = [...nodes];
  }

  /** The graph as it is now, without constants that nobody reads. */
  done(): GraphParts {
    const { name, inputs, outputs } = this.#graph;
    const read = new Set(this.#nodes.flatMap((node) => node.inputs));
    const constants = [...this.#constants.values()].filter((constant) => read.has(constant.name));
    return { name, inputs, outputs, nodes: this.#nodes, constants };
  }
}
