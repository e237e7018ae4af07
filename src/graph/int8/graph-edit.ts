import type { Constant, ElementType, GraphParts, Node, Shape } from '../graph.ts';

/** Edits a copy of a finished graph: finds the node that produces a value and those that read it, and replaces nodes and constants. */
export class GraphEdit {
  readonly #graph: GraphParts;
  readonly #constants: Map<string, Constant>;
  readonly #producers = new Map<string, Node>();
  #nodes: Node[];

  constructor(graph: GraphParts) {
    this.#graph = graph;
    this.#constants = new Map(graph.constants.map((constant) => [constant.name, constant]));
    this.#nodes = graph.nodes.map((node) => ({ ...node }));
    for (const node of this.#nodes) for (const output of node.outputs) this.#producers.set(output, node);
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** The node whose output a value is; undefined for inputs and constants. */
  producer(name: string): Node | undefined {
    return this.#producers.get(name);
  }

  /** The nodes that read a value. Each output of the graph has its own Identity node. */
  consumers(name: string): Node[] {
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
  addConstant(name: string, data: ArrayBufferView, shape: Shape, dtype: ElementType = 'float32'): string {
    this.#constants.set(name, { name, data, shape, dtype });
    return name;
  }

  setInputs(node: Node, inputs: readonly string[]): void {
    node.inputs = inputs;
  }

  /** Removes a node of one output; the nodes that read the output read `instead`. */
  remove(node: Node, instead: string): void {
    const [removed] = node.outputs;
    this.#nodes = this.#nodes.filter((other) => other !== node);
    for (const other of this.#nodes) {
      if (other.inputs.some((name) => name === removed)) {
        other.inputs = other.inputs.map((name) => (name === removed ? instead : name));
      }
    }
  }

  /** Sets all nodes, in order. */
  replaceNodes(nodes: readonly Node[]): void {
    this.#nodes = [...nodes];
  }

  /** The edited graph, without constants that no node reads. */
  result(): GraphParts {
    const { name, inputs, outputs } = this.#graph;
    const read = new Set(this.#nodes.flatMap((node) => node.inputs));
    const constants = [...this.#constants.values()].filter((constant) => read.has(constant.name));
    return { name, inputs, outputs, nodes: this.#nodes, constants };
  }
}
