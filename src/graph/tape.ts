import * as emit from './emit.ts';
import type { Graph, Shape, Value } from './graph.ts';
import type { Kernels } from './kernels.ts';

/** Emits the gradient of each input from the gradient of the output; null where there is none. */
export type Backward = (dy: Value, needs: (x: Value) => boolean) => (Value | null)[];

interface Entry {
  y: Value;
  inputs: readonly Value[];
  backward: Backward;
  /** Number of nodes of the graph when y was recorded. */
  nodes: number;
}

/**
 * Adds a graph input of uniform numbers. They are fed rather than drawn by the runtime, so that a resumed training gets
 * the same ones.
 */
export type NoiseSource = (shape: Shape) => Value;

export interface TapeOptions extends Partial<Kernels> {
  noise: NoiseSource;
}

/**
 * Reverse-mode differentiation that emits nodes: each op adds its forward nodes and records how to emit its gradient.
 * A tape for inference records nothing, and ops for training only (dropout) return their input.
 */
export class Tape {
  readonly graph: Graph;
  /** See `Kernels`. */
  readonly threaded: boolean;
  readonly block: number;
  readonly engineGradients: boolean;
  readonly #entries: Entry[] = [];
  readonly #noise: NoiseSource | null;
  readonly #buffers = new Map<string, Value>();

  private constructor(
    graph: Graph,
    { noise, threaded = true, block = 1, engineGradients = false }: Partial<Kernels> & { noise: NoiseSource | null },
  ) {
    this.engineGradients = engineGradients;
    this.graph = graph;
    this.threaded = threaded;
    this.block = block;
    this.#noise = noise;
  }

  static forTraining(graph: Graph, options: TapeOptions): Tape {
    return new Tape(graph, options);
  }

  /** Plain NCHW: with constant weights ONNX Runtime blocks images by itself. */
  static forInference(graph: Graph): Tape {
    return new Tape(graph, { noise: null });
  }

  get training(): boolean {
    return this.#noise !== null;
  }

  record(y: Value, inputs: readonly Value[], backward: Backward): Value {
    if (this.training) this.#entries.push({ y, inputs, backward, nodes: this.graph.nodes.length });
    return y;
  }

  /** Sets the value after this step of state without gradient, such as a running average. */
  updateBuffer(state: Value, updated: Value): void {
    this.#buffers.set(state.name, updated);
  }

  /** The value of `state` after this step. */
  next(state: Value): Value {
    return this.#buffers.get(state.name) ?? state;
  }

  /** New uniform numbers in [0, 1) for each step of training; null in inference. */
  noise(shape: Shape): Value | null {
    return this.#noise?.(shape) ?? null;
  }

  /** Emits the gradients of the scalar `loss` with respect to each of `targets`. */
  gradients(loss: Value, targets: readonly Value[]): Value[] {
    if (this.engineGradients) return gradientNode(this.graph, { loss, targets, entries: this.#entries });
    const differentiated = new Set(targets.map((target) => target.name));
    for (const { y, inputs } of this.#entries)
      if (inputs.some((x) => differentiated.has(x.name))) differentiated.add(y.name);
    const needs = (x: Value): boolean => differentiated.has(x.name);

    const gradient = new Map<string, Value>([[loss.name, this.graph.scalar(1)]]);
    for (const { y, inputs, backward } of [...this.#entries].reverse()) {
      const dy = gradient.get(y.name);
      if (dy === undefined || !needs(y)) continue;
      backward(dy, needs).forEach((dx, i) => {
        const x = inputs[i];
        if (dx === null || x === undefined || !needs(x)) return;
        const earlier = gradient.get(x.name);
        gradient.set(x.name, earlier === undefined ? dx : emit.add(this.graph, earlier, dx));
      });
    }
    return targets.map((target) => gradient.get(target.name) ?? emit.zerosLike(this.graph, target));
  }
}

/**
 * One node for the gradients of `loss` by `targets`, as in ONNX's `ai.onnx.preview.training`. An op has gradients only for
 * the inputs that it records: `stopped` has (node, input) for each other input that was computed before the op, through
 * which no gradient flows.
 */
function gradientNode(
  g: Graph,
  { loss, targets, entries }: { loss: Value; targets: readonly Value[]; entries: readonly Entry[] },
): Value[] {
  const stopped: number[] = [];
  let from = 0;
  for (const { inputs, nodes: to } of entries) {
    const own = new Set(inputs.map((x) => x.name));
    for (let node = from; node < to; node++) {
      const { inputs: read = [], outputs = [] } = g.nodes[node] ?? {};
      read.forEach((name, input) => {
        if (!own.has(name)) stopped.push(node, input);
      });
      for (const name of outputs) own.add(name);
    }
    from = to;
  }
  const gradients = targets.map(({ shape }) => g.value(shape));
  g.nodeInto('Gradient', [loss, ...targets], gradients, { attributes: { stopped }, domain: 'rafiki' });
  return gradients;
}
