import type { TensorData } from '../domain/tensor.ts';
import { CorruptParams } from '../errors/errors.ts';
import type { ParameterSpec } from '../graph/network.ts';
import { feed, result } from '../graph/training-graph.ts';
import type { Rng } from '../runtime/rng.ts';
import type { Feeds, Step } from './feeds.ts';
import { initialise } from './initialise.ts';
import { boundsOf } from './join.ts';
import { RowWindow } from './row-window.ts';

/** A weight with its optimiser slots, as the host holds them between runs. */
export class Parameter {
  readonly name: string;
  readonly spec: ParameterSpec;
  readonly #tensors: { name: string; data: Float32Array }[];
  readonly #window: RowWindow | null;
  /** Rows of the table that are out in a run. */
  #out: Int32Array | null = null;

  /** `tensors` names the weight, then the slots. */
  constructor(name: string, spec: ParameterSpec, { tensors, rng }: { tensors: readonly string[]; rng: Rng }) {
    this.name = name;
    this.spec = spec;
    const first = initialise(spec, rng);
    this.#tensors = tensors.map((tensor, i) => ({
      name: tensor,
      data: i === 0 ? first : new Float32Array(first.length),
    }));
    this.#window = spec.rowsOf === undefined ? null : new RowWindow(spec.shape[0] ?? 0);
  }

  get weight(): Float32Array {
    return this.#tensors[0]?.data ?? new Float32Array(0);
  }

  /** Feeds the tensors, of a table only the rows that these steps touch; the ids among `feeds` become local. */
  enter(feeds: Feeds, steps: readonly Step[]): void {
    const { rowsOf, shape } = this.spec;
    if (this.#window === null || rowsOf === undefined) {
      for (const { name, data } of this.#tensors) feeds[feed.state(name)] = float32(shape, data);
      return;
    }
    const ids = feeds[feed.input(rowsOf)]?.data as Int32Array;
    const bounds = boundsOf(steps.map(({ inputs }) => inputs[rowsOf] as TensorData));
    const { rows, perStep, width } = this.#window.localise(ids, bounds);
    feeds[feed.rows(this.name)] = { dtype: 'int32', shape: [steps.length, width], data: perStep };
    for (const { name, data } of this.#tensors) {
      feeds[feed.state(name)] = float32([rows.length, ...shape.slice(1)], takeRows(data, rows, this.#rowLength()));
    }
    this.#out = rows;
  }

  /** Takes the tensors back out of a run's results. */
  leave(results: Feeds): void {
    for (const tensor of this.#tensors) {
      const moved = results[result.state(tensor.name)]?.data as Float32Array;
      if (this.#out === null) tensor.data = moved;
      else putRows(tensor.data, this.#out, { moved, width: this.#rowLength() });
    }
    this.#out = null;
  }

  /** Copies of weight and slots by name. */
  state(): [string, TensorData][] {
    return this.#tensors.map(({ name, data }) => [name, float32(this.spec.shape, data.slice())]);
  }

  restore(state: Readonly<Record<string, TensorData>>): void {
    for (const tensor of this.#tensors) {
      const stored = state[tensor.name]?.data;
      if (!(stored instanceof Float32Array) || stored.length !== tensor.data.length) {
        throw new CorruptParams('the checkpoint does not fit the network', {
          detail: `tensor "${tensor.name}" is missing or has another size`,
          hint: 'The trial must start again from its beginning.',
        });
      }
      tensor.data = stored.slice();
    }
  }

  #rowLength(): number {
    return this.weight.length / (this.spec.shape[0] ?? 1);
  }
}

function takeRows(table: Float32Array, rows: Int32Array, width: number): Float32Array {
  const taken = new Float32Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    const start = (rows[i] as number) * width;
    for (let j = 0; j < width; j++) taken[i * width + j] = table[start + j] as number;
  }
  return taken;
}

function putRows(
  table: Float32Array,
  rows: Int32Array,
  { moved, width }: { moved: Float32Array; width: number },
): void {
  for (let i = 0; i < rows.length; i++) {
    const start = (rows[i] as number) * width;
    for (let j = 0; j < width; j++) table[start + j] = moved[i * width + j] as number;
  }
}

const float32 = (shape: readonly number[], data: Float32Array): TensorData => ({
  dtype: 'float32',
  shape: [...shape],
  data,
});
