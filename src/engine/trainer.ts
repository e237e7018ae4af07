import type { TensorData } from '../domain/tensor.ts';
import { Diverged } from '../errors/errors.ts';
import { result } from '../graph/feed-names.ts';
import type { Weight } from '../graph/inference-graph.ts';
import type { Network } from '../graph/network.ts';
import { type OptimiserName, optimisers } from '../graph/optimisers/registry.ts';
import { buildTraining, stateNames, type UpdateRule } from '../graph/training-graph.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import { chosenEngine } from './choice.ts';
import type { Engine } from './engine.ts';
import { batchFeeds, noiseFeeds, type Settings, scalarFeeds, type TrainingStep } from './feeds.ts';
import { DenseParameter, float32, type Parameter, storedTensor } from './parameter.ts';
import type { GraphSession } from './session.ts';
import { stepsPerCall } from './steps-per-call.ts';
import { RowTable } from './table.ts';

export interface TrainerOptions {
  network: Network;
  optimiser: OptimiserName;
  /** Rows of a step. */
  batch: number;
  threads: number;
  seed: number;
  /** Whether gradients are clipped by their norm, `clipNorm` of the settings. */
  clips?: boolean;
  /** Whether averages of the weights are kept, at the pace of `averageDecay` of the settings: they are what is exported. */
  averages?: boolean;
  /** Channels in a block of an image's memory; what the machine is fastest with where not given. */
  block?: number;
  /** What this process was told to train with where not given. */
  engine?: Engine;
}

/** The tensor of a checkpoint that holds the loss of the first step. */
const firstLoss = 'first loss';

/**
 * A loss this many times the first step's, or this large where the first was below 1, means that training has diverged:
 * logits off by ten thousands, where a wrong answer of a sound network costs some tens.
 */
const explosion = 1e4;

const courseOf = ({ optimiser, clips = false, averages = false }: TrainerOptions): UpdateRule => ({
  optimiser: optimisers[optimiser],
  clips,
  averages,
});

/**
 * Weights and optimiser state of one network in training. All randomness of step t comes from (seed, t), so weights,
 * slots, the first loss and the number of steps done are the whole state: a resumed run repeats an undisturbed one to the last bit.
 */
export class Trainer {
  readonly #options: TrainerOptions;
  readonly #session: GraphSession;
  readonly #noise: readonly number[][];
  readonly #parameters: readonly Parameter[];
  #steps = 0;
  /** Not a number before the first step. */
  #firstLoss = Number.NaN;

  private constructor(options: TrainerOptions, session: GraphSession, noise: readonly number[][]) {
    this.#options = options;
    this.#session = session;
    this.#noise = noise;
    const course = courseOf(options);
    this.#parameters = Object.entries(options.network.parameters).map(([name, spec], i) => {
      const rng = createRng(deriveSeed(options.seed, i));
      const beginning = { tensors: stateNames(name, spec, course), averaged: course.averages, rng };
      return spec.rowsOf === undefined
        ? new DenseParameter(name, spec, beginning)
        : new RowTable(name, spec, beginning);
    });
  }

  static async create(options: TrainerOptions): Promise<Trainer> {
    const { network, batch, threads, block, engine = await chosenEngine() } = options;
    const kernels = { ...(await engine.kernels(threads)), ...(block === undefined ? {} : { block }) };
    const { graph, noise } = buildTraining({ network, batch, kernels, ...courseOf(options) });
    return new Trainer(options, await engine.borrow(graph, threads), noise);
  }

  /** Steps done so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Trains on `steps` and returns their losses. The caller keeps it to about a second: nothing else runs. */
  async run(steps: readonly TrainingStep[], settings: Settings): Promise<Float32Array> {
    const losses = new Float32Array(steps.length);
    const max = stepsPerCall(this.#options.network);
    for (let at = 0; at < steps.length; at += max)
      losses.set(await this.#call(steps.slice(at, at + max), settings), at);
    return losses;
  }

  async #call(steps: readonly TrainingStep[], settings: Settings): Promise<Float32Array> {
    const { seed } = this.#options;
    const done = this.#steps;
    const feeds = {
      ...scalarFeeds(steps, settings, { optimiser: optimisers[this.#options.optimiser], done }),
      ...batchFeeds(steps, this.#options),
      ...noiseFeeds(this.#noise, { steps: steps.length, done, seed }),
    };
    for (const parameter of this.#parameters) parameter.enter(feeds, steps);
    const results = await this.#session.run(feeds);
    for (const parameter of this.#parameters) parameter.leave(results);
    const losses = results[result.losses]?.data as Float32Array;
    this.#refuseDiverged(losses, steps, settings);
    this.#steps += steps.length;
    return losses;
  }

  /** Copies of weights and slots by name. */
  state(): Record<string, TensorData> {
    const tensors = this.#parameters.flatMap((parameter) => parameter.state());
    return { ...Object.fromEntries(tensors), [firstLoss]: float32([1], Float32Array.of(this.#firstLoss)) };
  }

  /** Goes on from what `state()` gave after `steps` steps. */
  restore(state: Readonly<Record<string, TensorData>>, steps: number): void {
    for (const parameter of this.#parameters) parameter.restore(state);
    this.#firstLoss = storedTensor(state, firstLoss, 1)[0] ?? Number.NaN;
    this.#steps = steps;
  }

  /** First weights by name, in place of random ones; optimiser state is new. */
  begin(weights: Readonly<Record<string, TensorData>>): void {
    for (const parameter of this.#parameters) {
      const first = weights[parameter.name];
      if (first !== undefined) parameter.begin(first);
    }
  }

  /** What a trained model has: the weights, or their averages where such are kept. Not copied: the next run changes them. */
  weights(): Record<string, Weight> {
    return Object.fromEntries(
      this.#parameters.map(({ name, spec, exported }) => [name, { shape: spec.shape, data: exported }]),
    );
  }

  release(): Promise<void> {
    return this.#session.release();
  }

  #refuseDiverged(losses: Float32Array, steps: readonly TrainingStep[], settings: Settings): void {
    if (Number.isNaN(this.#firstLoss)) this.#firstLoss = losses[0] ?? Number.NaN;
    const limit = explosion * Math.max(1, this.#firstLoss);
    const at = losses.findIndex((loss) => !(loss <= limit));
    if (at < 0) return;
    const { optimiser, batch } = this.#options;
    const knobs = { ...settings, optimiser, batch, learningRate: steps[at]?.learningRate };
    throw new Diverged('training diverged', {
      detail: `loss ${losses[at]} at step ${this.#steps + at + 1} with ${JSON.stringify(knobs)}`,
      hint: 'A smaller learning rate helps most often.',
    });
  }
}
