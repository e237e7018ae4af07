import type { TensorData } from '../domain/tensor.ts';
import { CorruptParams } from '../errors/errors.ts';
import { feed, result } from '../graph/feed-names.ts';
import type { ParameterSpec } from '../graph/network.ts';
import type { Rng } from '../runtime/rng.ts';
import type { Feeds, TrainingStep } from './feeds.ts';
import { initialise } from './initialise.ts';

/** A weight with its optimiser slots, as the host holds them between runs. */
export interface Parameter {
  readonly name: string;
  readonly spec: ParameterSpec;
  /** What a trained model has of it: the weight's average where one is kept, else the weight. The next run may change it. */
  readonly exported: Float32Array;
  /** Feeds what a run of these steps needs of it. */
  enter(feeds: Feeds, steps: readonly TrainingStep[]): void;
  /** Takes the moved values out of a run's results. */
  leave(results: Feeds): void;
  /** Copies of weight and slots by name. */
  state(): [string, TensorData][];
  restore(state: Readonly<Record<string, TensorData>>): void;
  /** The weight's first values, in place of random ones. */
  begin(weight: TensorData): void;
}

/** How a parameter begins: `tensors` names the weight, then the slots, which are zero; an average, last, begins as the weight. */
export interface Beginning {
  tensors: readonly string[];
  averaged: boolean;
  rng: Rng;
}

/** A parameter that every step moves as a whole. */
export class DenseParameter implements Parameter {
  readonly name: string;
  readonly spec: ParameterSpec;
  readonly #tensors: { name: string; data: Float32Array }[];
  readonly #averaged: boolean;

  constructor(name: string, spec: ParameterSpec, { tensors, averaged, rng }: Beginning) {
    this.name = name;
    this.spec = spec;
    this.#averaged = averaged;
    const first = initialise(spec, rng);
    this.#tensors = tensors.map((tensor) => ({ name: tensor, data: new Float32Array(first.length) }));
    this.#start(first);
  }

  get exported(): Float32Array {
    return this.#tensors.at(this.#averaged ? -1 : 0)?.data ?? new Float32Array(0);
  }

  enter(feeds: Feeds): void {
    for (const { name, data } of this.#tensors) feeds[feed.state(name)] = float32(this.spec.shape, data);
  }

  leave(results: Feeds): void {
    for (const tensor of this.#tensors) tensor.data = results[result.state(tensor.name)]?.data as Float32Array;
  }

  state(): [string, TensorData][] {
    return this.#tensors.map(({ name, data }) => [name, float32(this.spec.shape, data.slice())]);
  }

  restore(state: Readonly<Record<string, TensorData>>): void {
    for (const tensor of this.#tensors) tensor.data = storedTensor(state, tensor.name, tensor.data.length).slice();
  }

  begin(weight: TensorData): void {
    this.#start(storedTensor({ [this.name]: weight }, this.name, this.exported.length));
  }

  #start(first: Float32Array): void {
    for (const place of this.#averaged ? [0, -1] : [0]) this.#tensors.at(place)?.data.set(first);
  }
}

/** A tensor of a checkpoint, refused where it is not of this network. */
export function storedTensor(state: Readonly<Record<string, TensorData>>, name: string, length: number): Float32Array {
  const stored = state[name]?.data;
  if (stored instanceof Float32Array && stored.length === length) return stored;
  throw new CorruptParams('the checkpoint does not fit the network', {
    detail: `tensor "${name}" is missing or has another size`,
    hint: 'The trial must start again from its beginning.',
  });
}

export const float32 = (shape: readonly number[], data: Float32Array): TensorData => ({
  dtype: 'float32',
  shape: [...shape],
  data,
});
