import type { TensorData } from '../domain/tensor.ts';
import { CorruptParams, Diverged } from '../errors/errors.ts';
import type { Network, ParameterSpec } from '../graph/network.ts';
import { type OptimiserName, optimisers } from '../graph/optimisers/registry.ts';
import { buildTraining, feed, isRagged, result, stateNames } from '../graph/training-graph.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import { initialise } from './initialise.ts';
import { boundsOf, joinData } from './join.ts';
import { RowWindow } from './row-window.ts';
import { borrowSession, type Session } from './session.ts';

/** One step's rows: the network's inputs, and a target distribution for each row, [B, classes]. */
export interface Step {
  inputs: Record<string, TensorData>;
  targets: Float32Array;
  learningRate: number;
}

/** Scalars that hold for a whole run. */
export interface Settings {
  momentum: number;
  weightDecay: number;
  dropout: number;
}

export interface TrainerOptions {
  network: Network;
  optimiser: OptimiserName;
  batch: number;
  threads: number;
  seed: number;
}

/** A parameter with its slots, as the host holds them between runs. */
interface Held {
  name: string;
  spec: ParameterSpec;
  tensors: { name: string; data: Float32Array }[];
  window: RowWindow | null;
}

type Feeds = Record<string, TensorData>;

/**
 * Weights and optimiser state of one network in training. All randomness of step t comes from (seed, t), so weights,
 * slots and the number of steps done are the whole state: a resumed run repeats an undisturbed one to the last bit.
 */
export class Trainer {
  readonly #options: TrainerOptions;
  readonly #session: Session;
  readonly #noise: readonly number[][];
  readonly #held: Held[];
  #steps = 0;

  private constructor(options: TrainerOptions, session: Session, noise: readonly number[][]) {
    this.#options = options;
    this.#session = session;
    this.#noise = noise;
    const optimiser = optimisers[options.optimiser];
    this.#held = Object.entries(options.network.parameters).map(([name, spec], i) => {
      const first = initialise(spec, createRng(deriveSeed(options.seed, i)));
      const tensors = stateNames(name, optimiser).map((tensor, j) => ({
        name: tensor,
        data: j === 0 ? first : new Float32Array(first.length),
      }));
      return { name, spec, tensors, window: spec.rowsOf === undefined ? null : new RowWindow(spec.shape[0] ?? 0) };
    });
  }

  static async create(options: TrainerOptions): Promise<Trainer> {
    const { network, batch, threads } = options;
    const graph = buildTraining({ network, optimiser: optimisers[options.optimiser], batch, threads });
    return new Trainer(options, await borrowSession(graph.model, threads), graph.noise);
  }

  /** Steps done so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Trains on `steps` in one call and returns their losses. The caller keeps it to about a second: nothing else runs. */
  async run(steps: readonly Step[], settings: Settings): Promise<Float32Array> {
    const feeds: Feeds = { ...this.#scalars(steps, settings), ...this.#batches(steps), ...this.#noiseOf(steps.length) };
    const windows = this.#held.map((held) => this.#enter(held, feeds, steps));
    const results = await this.#session.run(feeds);
    this.#held.forEach((held, i) => {
      leave(held, windows[i] ?? null, results);
    });
    const losses = results[result.losses]?.data as Float32Array;
    this.#refuseDiverged(losses, steps, settings);
    this.#steps += steps.length;
    return losses;
  }

  /** Copies of weights and slots. */
  state(): Record<string, TensorData> {
    const tensors = this.#held.flatMap(({ spec, tensors }) => tensors.map((tensor) => ({ ...tensor, spec })));
    return Object.fromEntries(
      tensors.map(({ name, data, spec }) => [name, { dtype: 'float32', shape: [...spec.shape], data: data.slice() }]),
    );
  }

  /** Goes on from a state that `state()` gave after `steps` steps. */
  restore(state: Readonly<Record<string, TensorData>>, steps: number): void {
    for (const { tensors } of this.#held) {
      for (const tensor of tensors) {
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
    this.#steps = steps;
  }

  /** The weights alone, not copied: the next run changes them. */
  weights(): Record<string, { shape: readonly number[]; data: Float32Array }> {
    return Object.fromEntries(
      this.#held.map(({ name, spec, tensors }) => [
        name,
        { shape: spec.shape, data: tensors[0]?.data as Float32Array },
      ]),
    );
  }

  release(): Promise<void> {
    return this.#session.release();
  }

  #scalars(steps: readonly Step[], settings: Settings): Feeds {
    const optimiser = optimisers[this.#options.optimiser];
    const rates = Float32Array.from(steps, (step) => step.learningRate);
    const sizes = rates.map((rate, k) => rate * optimiser.correction(this.#steps + k + 1));
    return {
      [feed.steps]: { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(steps.length)) },
      [feed.learningRate]: { dtype: 'float32', shape: [steps.length], data: rates },
      [feed.stepSize]: { dtype: 'float32', shape: [steps.length], data: sizes },
      [feed.momentum]: scalar(settings.momentum),
      [feed.weightDecay]: scalar(settings.weightDecay),
      [feed.dropout]: scalar(settings.dropout),
    };
  }

  #batches(steps: readonly Step[]): Feeds {
    const { network, batch } = this.#options;
    const targets = new Float32Array(steps.length * batch * network.classes);
    steps.forEach((step, k) => {
      targets.set(step.targets, k * batch * network.classes);
    });
    const feeds: Feeds = {
      [feed.targets]: { dtype: 'float32', shape: [steps.length, batch, network.classes], data: targets },
    };
    for (const [name, { shape, dtype }] of Object.entries(network.inputs)) {
      const parts = steps.map(({ inputs }) => inputs[name] as TensorData);
      const data = joinData(parts);
      if (isRagged(shape)) {
        feeds[feed.input(name)] = { dtype, shape: [data.length], data };
        feeds[feed.bounds(name)] = { dtype: 'int64', shape: [steps.length, 2], data: toInt64(boundsOf(parts)) };
      } else feeds[feed.input(name)] = { dtype, shape: [steps.length, batch, ...shape.map(Number)], data };
    }
    return feeds;
  }

  #noiseOf(count: number): Feeds {
    const sizes = this.#noise.map((shape) => shape.reduce((a, b) => a * b, 1));
    const data = sizes.map((size) => new Float32Array(size * count));
    for (let k = 0; k < count; k++) {
      const rng = createRng(deriveSeed(this.#options.seed, this.#steps + k, 1));
      data.forEach((values, i) => {
        const size = sizes[i] as number;
        for (let j = k * size; j < (k + 1) * size; j++) values[j] = rng.uniform();
      });
    }
    return Object.fromEntries(
      data.map((values, i) => [
        feed.noise(i),
        { dtype: 'float32', shape: [count, ...(this.#noise[i] as number[])], data: values },
      ]),
    );
  }

  /** Feeds a parameter's tensors, of a table only the rows that these steps touch. */
  #enter({ name, spec, tensors, window }: Held, feeds: Feeds, steps: readonly Step[]): Int32Array | null {
    const { rowsOf } = spec;
    if (window === null || rowsOf === undefined) {
      for (const { name: tensor, data } of tensors) {
        feeds[feed.state(tensor)] = { dtype: 'float32', shape: [...spec.shape], data };
      }
      return null;
    }
    const ids = feeds[feed.input(rowsOf)]?.data as Int32Array;
    const bounds = boundsOf(steps.map(({ inputs }) => inputs[rowsOf] as TensorData));
    const { rows, perStep, width } = window.localise(ids, bounds);
    feeds[feed.rows(name)] = { dtype: 'int32', shape: [steps.length, width], data: perStep };
    for (const { name: tensor, data } of tensors) {
      const shape = [rows.length, ...spec.shape.slice(1)];
      feeds[feed.state(tensor)] = {
        dtype: 'float32',
        shape,
        data: takeRows(data, rows, data.length / (spec.shape[0] ?? 1)),
      };
    }
    return rows;
  }

  #refuseDiverged(losses: Float32Array, steps: readonly Step[], settings: Settings): void {
    const at = losses.findIndex((loss) => !Number.isFinite(loss));
    if (at < 0) return;
    const { optimiser, batch } = this.#options;
    const knobs = { ...settings, optimiser, batch, learningRate: steps[at]?.learningRate };
    throw new Diverged('training left the finite numbers', {
      detail: `loss ${losses[at]} at step ${this.#steps + at + 1} with ${JSON.stringify(knobs)}`,
      hint: 'A smaller learning rate helps most often.',
    });
  }
}

/** Takes a parameter's tensors out of a run's results. */
function leave({ tensors }: Held, rows: Int32Array | null, results: Feeds): void {
  for (const tensor of tensors) {
    const moved = results[result.state(tensor.name)]?.data as Float32Array;
    if (rows === null) tensor.data = moved;
    else putRows(tensor.data, rows, moved);
  }
}

function takeRows(table: Float32Array, rows: Int32Array, width: number): Float32Array {
  const taken = new Float32Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) copyRow(table, (rows[i] as number) * width, taken, i * width, width);
  return taken;
}

function putRows(table: Float32Array, rows: Int32Array, moved: Float32Array): void {
  const width = moved.length / rows.length;
  for (let i = 0; i < rows.length; i++) copyRow(moved, i * width, table, (rows[i] as number) * width, width);
}

/** Element by element: at 16 to 128 numbers a row that takes a third of what `set(subarray())` does. */
function copyRow(from: Float32Array, start: number, to: Float32Array, at: number, width: number): void {
  for (let j = 0; j < width; j++) to[at + j] = from[start + j] as number;
}

const scalar = (value: number): TensorData => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) });

const toInt64 = (values: Int32Array): BigInt64Array => BigInt64Array.from(values, (value) => BigInt(value));
