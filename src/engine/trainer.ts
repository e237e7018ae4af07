import type { TensorData } from '../domain/tensor.ts';
import { Diverged } from '../errors/errors.ts';
import type { Weight } from '../graph/inference-graph.ts';
import type { Network } from '../graph/network.ts';
import { type OptimiserName, optimisers } from '../graph/optimisers/registry.ts';
import { buildTraining, result, stateNames } from '../graph/training-graph.ts';
import { createRng, deriveSeed } from '../runtime/rng.ts';
import { imageBlock } from './device.ts';
import { batchFeeds, noiseFeeds, type Settings, type Step, scalarFeeds } from './feeds.ts';
import { Parameter } from './parameter.ts';
import { borrowSession, type Session } from './session.ts';

export interface TrainerOptions {
  network: Network;
  optimiser: OptimiserName;
  /** Rows of a step. */
  batch: number;
  threads: number;
  seed: number;
  /** Channels in a block of an image's memory; what the machine is fastest with where not given. */
  block?: number;
}

/**
 * Weights and optimiser state of one network in training. All randomness of step t comes from (seed, t), so weights,
 * slots and the number of steps done are the whole state: a resumed run repeats an undisturbed one to the last bit.
 */
export class Trainer {
  readonly #options: TrainerOptions;
  readonly #session: Session;
  readonly #noise: readonly number[][];
  readonly #parameters: readonly Parameter[];
  #steps = 0;

  private constructor(options: TrainerOptions, session: Session, noise: readonly number[][]) {
    this.#options = options;
    this.#session = session;
    this.#noise = noise;
    const optimiser = optimisers[options.optimiser];
    this.#parameters = Object.entries(options.network.parameters).map(([name, spec], i) => {
      const rng = createRng(deriveSeed(options.seed, i));
      return new Parameter(name, spec, { tensors: stateNames(name, spec, optimiser), rng });
    });
  }

  static async create(options: TrainerOptions): Promise<Trainer> {
    const { network, batch, threads, block = await imageBlock() } = options;
    const graph = buildTraining({ network, optimiser: optimisers[options.optimiser], batch, threads, block });
    return new Trainer(options, await borrowSession(graph.model, threads), graph.noise);
  }

  /** Steps done so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Trains on `steps` in one call and returns their losses. The caller keeps it to about a second: nothing else runs. */
  async run(steps: readonly Step[], settings: Settings): Promise<Float32Array> {
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
    return Object.fromEntries(this.#parameters.flatMap((parameter) => parameter.state()));
  }

  /** Goes on from what `state()` gave after `steps` steps. */
  restore(state: Readonly<Record<string, TensorData>>, steps: number): void {
    for (const parameter of this.#parameters) parameter.restore(state);
    this.#steps = steps;
  }

  /** The weights alone, not copied: the next run changes them. */
  weights(): Record<string, Weight> {
    return Object.fromEntries(
      this.#parameters.map(({ name, spec, weight }) => [name, { shape: spec.shape, data: weight }]),
    );
  }

  release(): Promise<void> {
    return this.#session.release();
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
