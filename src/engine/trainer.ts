import type { TensorData } from '../domain/tensor.ts';
import { Diverged } from '../errors/errors.ts';
import { result } from '../graph/feed-names.ts';
import type { Weight } from '../graph/inference-graph.ts';
import type { Network } from '../graph/network.ts';
import { type OptimiserName, optimisers } from '../graph/optimisers/registry.ts';
import { buildTraining, stateNames, type UpdateRule } from '../graph/training-graph.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import { chosenEngine } from './choice.ts';
import { computing } from './computing.ts';
import type { Engine } from './engine.ts';
import { batchFeeds, noiseFeeds, type Settings, scalarFeeds, type TrainingStep } from './feeds.ts';
import { onnxEngine } from './onnx-engine.ts';
import { DenseParameter, float32, type Parameter, storedTensor } from './parameter.ts';
import type { GraphSession } from './session.ts';
import { stepsPerCall } from './steps-per-call.ts';
import { RowTable } from './table.ts';

export interface TrainerOptions {
  network: Network;
  optimiser: OptimiserName;
  /** Rows per step. */
  batch: number;
  threads: number;
  seed: number;
  /** Whether gradients are clipped by their norm, to the settings' `clipNorm`. */
  clips?: boolean;
  /** Whether moving averages of the weights are kept, with the settings' `averageDecay`: they are exported instead. */
  averages?: boolean;
  /** Channels per block of image tensors; default: the fastest on this machine. */
  block?: number;
  /** Default: the engine of this process. */
  engine?: Engine;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, dim) => size * dim, 1);

/** The checkpoint's tensor with the loss of the first step. */
const firstLoss = 'first loss';

/**
 * Training has diverged if the loss is this many times the first step's, or this large if that was below 1: a wrong
 * answer of a working network has a loss of some tens.
 */
const DIVERGENCE_FACTOR = 1e4;

const updateRuleOf = ({ optimiser, clips = false, averages = false }: TrainerOptions): UpdateRule => ({
  optimiser: optimisers[optimiser],
  clips,
  averages,
});

/** The training graph of one batch size. */
interface CompiledSteps {
  batch: number;
  session: GraphSession;
  /** Shapes of the noise of a step. */
  noise: readonly number[][];
}

async function compile(options: TrainerOptions): Promise<CompiledSteps> {
  const { network, batch, threads, block } = options;
  const engine = options.engine ?? (network.isForeign ? onnxEngine(computing().device) : await chosenEngine());
  const kernels = { ...(await engine.kernels(threads)), ...(block === undefined ? {} : { block }) };
  const { graph, noise } = buildTraining({ network, batch, kernels, ...updateRuleOf(options) });
  return { batch, session: await engine.borrow(graph, threads), noise };
}

/**
 * Weights and optimiser state of a network in training. All randomness of step t comes from (seed, t), so weights,
 * slots, the first loss and the number of steps are the whole state: a resumed run gives bit-identical results.
 */
export class Trainer {
  readonly #options: TrainerOptions;
  #compiled: CompiledSteps;
  readonly #parameters: readonly Parameter[];
  #steps = 0;
  /** NaN before the first step. */
  #firstLoss = Number.NaN;

  private constructor(options: TrainerOptions, compiled: CompiledSteps) {
    this.#options = options;
    this.#compiled = compiled;
    const rule = updateRuleOf(options);
    this.#parameters = Object.entries(options.network.parameters).map(([name, spec], i) => {
      const rng = createRng(deriveSeed(options.seed, i));
      const initialState = { tensors: stateNames(name, spec, rule), averaged: rule.averages, rng };
      return spec.rowsOf === undefined
        ? new DenseParameter(name, spec, initialState)
        : new RowTable(name, spec, initialState);
    });
  }

  static async create(options: TrainerOptions): Promise<Trainer> {
    return new Trainer(options, await compile(options));
  }

  /** Trains in batches of `batch` rows from now on: another graph, with the same weights and slots. */
  async setBatch(batch: number): Promise<void> {
    if (batch === this.#compiled.batch) return;
    const old = this.#compiled;
    this.#compiled = await compile({ ...this.#options, batch });
    await old.session.release();
  }

  /** Number of completed steps. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Trains on `steps` and returns their losses. Blocks the event loop: the caller limits it to about a second. Throws
   * {@link Diverged}.
   */
  async run(steps: readonly TrainingStep[], settings: Settings): Promise<Float32Array> {
    const losses = new Float32Array(steps.length);
    const max = stepsPerCall(this.#options.network);
    for (let at = 0; at < steps.length; at += max)
      losses.set(await this.#call(steps.slice(at, at + max), settings), at);
    return losses;
  }

  async #call(steps: readonly TrainingStep[], settings: Settings): Promise<Float32Array> {
    const { seed, network } = this.#options;
    const { session, batch, noise } = this.#compiled;
    const done = this.#steps;
    const feeds = {
      ...scalarFeeds(steps, settings, { optimiser: optimisers[this.#options.optimiser], done }),
      ...batchFeeds(steps, { network, batch }),
      ...noiseFeeds(noise, { steps: steps.length, done, seed }),
    };
    for (const parameter of this.#parameters) parameter.addFeeds(feeds, steps);
    const results = await session.run(feeds);
    for (const parameter of this.#parameters) parameter.storeResults(results);
    const losses = results[result.losses]?.data as Float32Array;
    this.#checkLosses(losses, steps, settings);
    this.#steps += steps.length;
    return losses;
  }

  /** Copies of weights and slots by name. */
  state(): Record<string, TensorData> {
    const tensors = this.#parameters.flatMap((parameter) => parameter.state());
    return { ...Object.fromEntries(tensors), [firstLoss]: float32([1], Float32Array.of(this.#firstLoss)) };
  }

  /** Restores the result of `state()` after `steps` steps. */
  restore(state: Readonly<Record<string, TensorData>>, steps: number): void {
    for (const parameter of this.#parameters) parameter.restore(state);
    this.#firstLoss = storedTensor(state, firstLoss, 1)[0] ?? Number.NaN;
    this.#steps = steps;
  }

  /** Sets initial weights by name, instead of random ones; the optimiser state is new. */
  setInitialWeights(weights: Readonly<Record<string, TensorData>>): void {
    for (const parameter of this.#parameters) {
      const first = weights[parameter.name];
      if (first !== undefined) parameter.setInitialWeight(first);
    }
  }

  /** The exported weights, or their moving averages. Not copied: the next run changes them. */
  weights(): Record<string, Weight> {
    return Object.fromEntries(
      this.#parameters.map(({ name, spec, exported }) => [name, { shape: spec.shape, data: exported }]),
    );
  }

  /**
   * A copy of the weights that training changes, running statistics of batch norm included, one after the other in the
   * order of the network's parameters; in `into` if it has that size.
   */
  flatWeights(into?: Float32Array): Float32Array {
    return this.#flat(({ current }) => current, into);
  }

  /** Likewise of their moving averages; null if there are none. */
  flatAverages(into?: Float32Array): Float32Array | null {
    return this.#options.averages === true ? this.#flat(({ exported }) => exported, into) : null;
  }

  /** Replaces the weights; optimiser state and moving averages stay. */
  replaceWeights(flat: Float32Array): void {
    this.#forParts(flat, (parameter, part) => parameter.replaceWeight(part));
  }

  replaceAverages(flat: Float32Array): void {
    this.#forParts(flat, (parameter, part) => parameter.replaceAverage(part));
  }

  /** For each row of the network's tables, in the order of its parameters: the number of steps that used it since the last call. */
  takeUses(): Uint16Array {
    const parts = this.#parameters.map((parameter) => parameter.takeUses());
    const uses = new Uint16Array(parts.reduce((size, part) => size + part.length, 0));
    let at = 0;
    for (const part of parts) {
      uses.set(part, at);
      at += part.length;
    }
    return uses;
  }

  #flat(valuesOf: (parameter: Parameter) => Float32Array, into?: Float32Array): Float32Array {
    const size = this.#parameters.reduce((sum, { spec }) => sum + sizeOf(spec.shape), 0);
    const flat = into?.length === size ? into : new Float32Array(size);
    this.#forParts(flat, (parameter, part) => part.set(valuesOf(parameter)));
    return flat;
  }

  #forParts(flat: Float32Array, work: (parameter: Parameter, part: Float32Array) => void): void {
    let at = 0;
    for (const parameter of this.#parameters) {
      const end = at + sizeOf(parameter.spec.shape);
      work(parameter, flat.subarray(at, end));
      at = end;
    }
  }

  release(): Promise<void> {
    return this.#compiled.session.release();
  }

  #checkLosses(losses: Float32Array, steps: readonly TrainingStep[], settings: Settings): void {
    if (Number.isNaN(this.#firstLoss)) this.#firstLoss = losses[0] ?? Number.NaN;
    const limit = DIVERGENCE_FACTOR * Math.max(1, this.#firstLoss);
    const at = losses.findIndex((loss) => !(loss <= limit));
    if (at < 0) return;
    const { optimiser } = this.#options;
    const { batch } = this.#compiled;
    const knobs = { ...settings, optimiser, batch, learningRate: steps[at]?.learningRate };
    throw new Diverged('training diverged', {
      detail: `loss ${losses[at]} at step ${this.#steps + at + 1} with ${JSON.stringify(knobs)}`,
      hint: 'Try a smaller learning rate.',
    });
  }
}
