import { add, zerosLike } from './emit.ts';
import type { Graph, Shape, Value } from './graph.ts';
import type { Kernels } from './kernels.ts';

/** Emits the gradient of each input from the gradient of the output; null where there is none. */
export type Backward = (dy: Value, needs: (x: Value) => boolean) => (Value | null)[];

interface Entry {
  y: Value;
  inputs: readonly Value[];
  backward: Backward;
  /** How many nodes the graph had when y was recorded. */
  nodes: number;
}

/**
 * Makes a graph input of uniform numbers. The host feeds them instead of the runtime drawing its own, so that a resumed
 * run sees exactly the ones it would have seen.
 */
export type NoiseSource = (shape: Shape) => Value;

export interface TapeOptions extends Partial<Kernels> {
  noise: NoiseSource;
}

/**
 * Reverse-mode differentiation that emits nodes: each op adds its forward nodes and records how to emit its gradient.
 * A tape for inference records nothing, and ops that only training knows (dropout) leave their input as it is.
 */
export class Tape {
  readonly graph: Graph;
  /** Whether kernels may run on several threads, for ops whose fastest kernel must not. */
  readonly threaded: boolean;
  /** Channels that lie side by side in memory where images are blocked; 1 is plain NCHW. */
  readonly block: number;
  /** Whether the engine finds gradients by itself, so that no op is asked for its own. */
  readonly engineGradients: boolean;
  readonly #entries: Entry[] = [];
  readonly #noise: NoiseSource | null;
  readonly #followers = new Map<string, Value>();

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

  /** Plain NCHW: with constant weights ONNX Runtime blocks an image network by itself. */
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

  /** State that no gradient moves, such as a running average, is `next` after this step. */
  follow(state: Value, next: Value): void {
    this.#followers.set(state.name, next);
  }

  /** What `state` is after this step. */
  next(state: Value): Value {
    return this.#followers.get(state.name) ?? state;
  }

  /** Fresh uniform numbers in [0, 1) for each step of training; nothing in inference. */
  noise(shape: Shape): Value | null {
    return this.#noise?.(shape) ?? null;
  }

  /** Emits the gradients of the scalar `loss` with respect to each of `targets`. */
  gradients(loss: Value, targets: readonly Value[]): Value[] {
    if (this.engineGradients) return gradientNode(this.graph, { loss, targets, entries: this.#entries });
    const moving = new Set(targets.map((target) => target.name));
    for (const { y, inputs } of this.#entries) if (inputs.some((x) => moving.has(x.name))) moving.add(y.name);
    const needs = (x: Value): boolean => moving.has(x.name);

    const gradient = new Map<string, Value>([[loss.name, this.graph.scalar(1)]]);
    for (const { y, inputs, backward } of [...this.#entries].reverse()) {
      const dy = gradient.get(y.name);
      if (dy === undefined || !needs(y)) continue;
      backward(dy, needs).forEach((dx, i) => {
        const x = inputs[i];
        if (dx === null || x === undefined || !needs(x)) return;
        const earlier = gradient.get(x.name);
        gradient.set(x.name, earlier === undefined ? dx : add(this.graph, earlier, dx));
      });
    }
    return targets.map((target) => gradient.get(target.name) ?? zerosLike(this.graph, target));
  }
}

/**
 * One node for the gradients of `loss` by `targets`, as in ONNX's `ai.onnx.preview.training`. An op is a function of the
 * inputs that it records, whatever else it reads: `held` has (node, input) for each input that comes from before the op and
 * is not among those, so that no gradient may flow through it.
 */
function gradientNode(
  g: Graph,
  { loss, targets, entries }: { loss: Value; targets: readonly Value[]; entries: readonly Entry[] },
): Value[] {
  const held: number[] = [];
  let from = 0;
  for (const { inputs, nodes: to } of entries) {
    const own = new Set(inputs.map((x) => x.name));
    for (let node = from; node < to; node++) {
      const { inputs: read = [], outputs = [] } = g.nodes[node] ?? {};
      read.forEach((name, input) => {
        if (!own.has(name)) held.push(node, input);
      });
      for (const name of outputs) own.add(name);
    }
    from = to;
  }
  const gradients = targets.map(({ shape }) => g.value(shape));
  g.nodeInto('Gradient', [loss, ...targets], gradients, { attributes: { held }, domain: 'rafiki' });
  return gradients;
}
