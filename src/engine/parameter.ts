import type { TensorData } from '../domain/tensor.ts';
import { CorruptParams } from '../errors/errors.ts';
import { feed, result } from '../graph/feed-names.ts';
import type { ParameterSpec } from '../graph/network.ts';
import type { Rng } from '../runtime/rng.ts';
import type { Feeds, TrainingStep } from './feeds.ts';
import { initialise } from './initialise.ts';

/** A weight with its optimiser slots, stored on the host between runs. */
export interface Parameter {
  readonly name: string;
  readonly spec: ParameterSpec;
  /** The exported value: the moving average if there is one, otherwise the weight. The next run may overwrite it. */
  readonly exported: Float32Array;
  /** The weight that training changes, whether or not its moving average is exported. The next run may overwrite it. */
  readonly current: Float32Array;
  /** Adds the run's feeds for these steps. */
  addFeeds(feeds: Feeds, steps: readonly TrainingStep[]): void;
  /** Stores the updated values of a run's results. */
  storeResults(results: Feeds): void;
  /** Copies of weight and slots by name. */
  state(): [string, TensorData][];
  restore(state: Readonly<Record<string, TensorData>>): void;
  /** Sets the initial weight, instead of random values. */
  setInitialWeight(weight: TensorData): void;
  /** Replaces the weight between runs; slots and moving average stay. */
  replaceWeight(weight: Float32Array): void;
  /** Replaces the moving average, if there is one. */
  replaceAverage(average: Float32Array): void;
  /** Of a table: the number of steps that used each row since the last call; otherwise empty. */
  takeUses(): Uint16Array;
}

/**
 * The initial values: `tensors` names the weight, the slots (zero), and last the average (equal to the weight), if any.
 */
export interface InitialState {
  tensors: readonly string[];
  averaged: boolean;
  rng: Rng;
}

/** A parameter that every step updates completely. */
export class DenseParameter implements Parameter {
  readonly name: string;
  readonly spec: ParameterSpec;
  readonly #tensors: { name: string; data: Float32Array }[];
  readonly #averaged: boolean;

  constructor(name: string, spec: ParameterSpec, { tensors, averaged, rng }: InitialState) {
    this.name = name;
    this.spec = spec;
    this.#averaged = averaged;
    const first = initialise(spec, rng);
    this.#tensors = tensors.map((tensor) => ({ name: tensor, data: new Float32Array(first.length) }));
    this.#setWeights(first);
  }

  get exported(): Float32Array {
    return this.#tensors.at(this.#averaged ? -1 : 0)?.data ?? new Float32Array(0);
  }

  get current(): Float32Array {
    return this.#tensors[0]?.data ?? new Float32Array(0);
  }

  addFeeds(feeds: Feeds): void {
    for (const { name, data } of this.#tensors) feeds[feed.state(name)] = float32(this.spec.shape, data);
  }

  storeResults(results: Feeds): void {
    for (const tensor of this.#tensors) tensor.data = results[result.state(tensor.name)]?.data as Float32Array;
  }

  state(): [string, TensorData][] {
    return this.#tensors.map(({ name, data }) => [name, float32(this.spec.shape, data.slice())]);
  }

  restore(state: Readonly<Record<string, TensorData>>): void {
    for (const tensor of this.#tensors) tensor.data = storedTensor(state, tensor.name, tensor.data.length).slice();
  }

  setInitialWeight(weight: TensorData): void {
    this.#setWeights(storedTensor({ [this.name]: weight }, this.name, this.exported.length));
  }

  replaceWeight(weight: Float32Array): void {
    this.current.set(weight);
  }

  replaceAverage(average: Float32Array): void {
    if (this.#averaged) this.exported.set(average);
  }

  takeUses(): Uint16Array {
    return new Uint16Array(0);
  }

  #setWeights(first: Float32Array): void {
    for (const place of this.#averaged ? [0, -1] : [0]) this.#tensors.at(place)?.data.set(first);
  }
}

/** A tensor of a checkpoint. Throws CorruptParams if it does not fit the network. */
export function storedTensor(state: Readonly<Record<string, TensorData>>, name: string, length: number): Float32Array {
  const stored = state[name]?.data;
  if (stored instanceof Float32Array && stored.length === length) return stored;
  throw new CorruptParams('the checkpoint does not fit the network', {
    detail: `tensor "${name}" is missing or has the wrong size`,
    hint: 'The trial must start from the beginning.',
  });
}

export const float32 = (shape: readonly number[], data: Float32Array): TensorData => ({
  dtype: 'float32',
  shape: [...shape],
  data,
});
