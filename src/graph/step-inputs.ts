import * as emit from './emit.ts';
import { feed } from './feed-names.ts';
import type { Graph, Shape, Value } from './graph.ts';
import type { InputSpec } from './network.ts';

/** Inputs of the training graph with one entry for each step; the loop's body gathers its step's. */
export class StepInputs {
  readonly count: Value;
  readonly noiseShapes: number[][] = [];
  readonly #outer: Graph;
  readonly #body: Graph;
  readonly #step: Value;

  constructor(outer: Graph, body: Graph) {
    this.#outer = outer;
    this.#body = body;
    this.count = outer.input(feed.steps, [], 'int64');
    this.#step = body.input('step', [], 'int64');
  }

  /** One of the network's inputs or targets for `batch` rows, under the name by which it is fed. */
  rows(fed: string, batch: number, { shape, dtype }: InputSpec): Value {
    const whole = [batch, ...shape];
    return isRagged(shape) ? this.takeRagged(fed, whole, dtype) : this.take(fed, whole, dtype);
  }

  take(name: string, shape: Shape, dtype: Value['dtype'] = 'float32'): Value {
    const all = this.#outer.input(name, ['K', ...shape], dtype);
    return emit.gather(this.#body, all, this.#step);
  }

  /**
   * An input whose length differs between steps: the steps are concatenated, `bounds` [K, 2] has the begin and the end of
   * each. A short step is then not padded to the longest of the run.
   */
  takeRagged(fed: string, shape: Shape, dtype: Value['dtype']): Value {
    const body = this.#body;
    const all = this.#outer.input(fed, [`all ${fed}`], dtype);
    const bounds = this.take(feed.bounds(fed), [2], 'int64');
    const [start, end] = [emit.slice(body, bounds, 0, 0, 1), emit.slice(body, bounds, 0, 1, 2)];
    const stepPart = body.node('Slice', [all, start, end, body.ints([0])], [`own ${fed}`], { dtype });
    return emit.reshape(body, stepPart, shape);
  }

  noise(shape: Shape): Value {
    const index = this.noiseShapes.push(shape.map(Number)) - 1;
    return this.take(feed.noise(index), shape);
  }
}

/** Whether steps of one run may differ in this input's shape. */
export const isRagged = (shape: Shape): boolean => shape.some((dim) => typeof dim === 'string');
