import type { TensorData } from '../domain/tensor.ts';
import { feed, result } from '../graph/feed-names.ts';
import type { ParameterSpec } from '../graph/network.ts';
import { type TableLayout, tableLayout } from '../graph/table-rows.ts';
import type { Feeds, TrainingStep } from './feeds.ts';
import { initialise } from './initialise.ts';
import { boundsOf } from './join.ts';
import { float32, type InitialState, type Parameter, storedTensor } from './parameter.ts';
import { RowWindow } from './row-window.ts';

const MAX_USES = 2 ** 16 - 1;

/**
 * A table of which a run updates the rows that its steps use. Weight and slots are interleaved, [V, S·D]: the runtime
 * gathers rows directly from this memory, and each updated row is contiguous in the result. This takes 0.4 ms per step;
 * three separate tables with loops in JavaScript took 1.4 (`bench engine` fasttext).
 */
export class RowTable implements Parameter {
  readonly name: string;
  readonly spec: ParameterSpec;
  readonly #tensors: readonly string[];
  readonly #layout: TableLayout;
  readonly #window: RowWindow;
  readonly #data: Float32Array;
  /** Indexes of the tensors that are initialised like the weight: itself, and its average. */
  readonly #weightTensors: readonly number[];
  #uses: Uint16Array;
  /** Rows of the current run. */
  #runRows: Int32Array = new Int32Array(0);

  constructor(name: string, spec: ParameterSpec, { tensors, averaged, rng }: InitialState) {
    this.name = name;
    this.spec = spec;
    this.#tensors = tensors;
    this.#layout = tableLayout(spec, tensors.length);
    const { rows, width } = this.#layout;
    this.#window = new RowWindow(rows);
    this.#data = new Float32Array(rows * width * tensors.length);
    this.#uses = new Uint16Array(rows);
    this.#weightTensors = averaged ? [0, tensors.length - 1] : [0];
    this.#setWeights(initialise(spec, rng));
  }

  get exported(): Float32Array {
    return this.#tensor(this.#weightTensors.at(-1) ?? 0);
  }

  get current(): Float32Array {
    return this.#tensor(0);
  }

  /** Feeds the table and the rows that these steps use; the ids in `feeds` become local. */
  addFeeds(feeds: Feeds, steps: readonly TrainingStep[]): void {
    const ids = this.spec.rowsOf ?? '';
    const bounds = boundsOf(steps.map(({ inputs }) => inputs[ids] as TensorData));
    const { rows, perStep, width } = this.#window.localise(feeds[feed.input(ids)]?.data as Int32Array, bounds);
    feeds[feed.rows(this.name)] = { dtype: 'int32', shape: [steps.length, width], data: perStep };
    feeds[feed.window(this.name)] = { dtype: 'int32', shape: [rows.length], data: rows };
    feeds[feed.state(this.name)] = float32([this.#layout.rows, this.#stride], this.#data);
    this.#runRows = rows;
    for (const entry of perStep) {
      const row = rows[entry] as number;
      this.#uses[row] = Math.min((this.#uses[row] as number) + 1, MAX_USES);
    }
  }

  storeResults(results: Feeds): void {
    const updated = results[result.state(this.name)]?.data as Float32Array;
    const stride = this.#stride;
    this.#runRows.forEach((row, i) => {
      this.#data.set(updated.subarray(i * stride, (i + 1) * stride), row * stride);
    });
  }

  state(): [string, TensorData][] {
    return this.#tensors.map((name, i) => [name, float32(this.spec.shape, this.#tensor(i))]);
  }

  restore(state: Readonly<Record<string, TensorData>>): void {
    const { rows, width } = this.#layout;
    this.#tensors.forEach((name, i) => {
      this.#setTensor(i, storedTensor(state, name, rows * width));
    });
  }

  setInitialWeight(weight: TensorData): void {
    const { rows, width } = this.#layout;
    this.#setWeights(storedTensor({ [this.name]: weight }, this.name, rows * width));
  }

  replaceWeight(weight: Float32Array): void {
    this.#setTensor(0, weight);
  }

  replaceAverage(average: Float32Array): void {
    const [, place] = this.#weightTensors;
    if (place !== undefined) this.#setTensor(place, average);
  }

  takeUses(): Uint16Array {
    const uses = this.#uses;
    this.#uses = new Uint16Array(uses.length);
    return uses;
  }

  #setWeights(first: Float32Array): void {
    for (const i of this.#weightTensors) this.#setTensor(i, first);
  }

  /** Values per row, including slots. */
  get #stride(): number {
    return this.#layout.width * this.#layout.tensors;
  }

  /** Tensor `i`, [V, D]. */
  #tensor(i: number): Float32Array {
    const { rows, width } = this.#layout;
    const tensor = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const start = row * this.#stride + i * width;
      tensor.set(this.#data.subarray(start, start + width), row * width);
    }
    return tensor;
  }

  #setTensor(i: number, values: Float32Array): void {
    const { rows, width } = this.#layout;
    for (let row = 0; row < rows; row++) {
      this.#data.set(values.subarray(row * width, (row + 1) * width), row * this.#stride + i * width);
    }
  }
}
