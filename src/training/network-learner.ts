import type { Team } from '../domain/joint-training.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { TrainedModel, TrainedVariant, TrainingSpec } from '../domain/training.ts';
import { answerAll } from '../engine/evaluate.ts';
import { Trainer } from '../engine/trainer.ts';
import { CorruptParams } from '../errors/errors.ts';
import { exportModel, inferenceGraph, type Weight } from '../graph/inference-graph.ts';
import { encodeModel } from '../graph/onnx.ts';
import type { Weights } from '../models/family.ts';
import type {
  Learner,
  ModelParts,
  TrainedSteps,
  TrainingPlace,
  ValidatedParts,
  WeightSharing,
} from '../models/learner.ts';
import { orderOf, trainShare } from './epoch.ts';
import { explanationData } from './explanation-data.ts';
import { int8Variant } from './int8.ts';
import { ALONE, Rounds } from './joint/rounds.ts';
import { type PreparedTrial, prepareTrial, trainerOf } from './trial.ts';
import { publishedWeights, requestedTensors } from './warm-start.ts';

/** Trains a network, alone or with other workers. */
export class NetworkLearner implements Learner {
  readonly #trial: PreparedTrial;
  readonly #trainer: Trainer;
  readonly #rounds: Rounds;
  readonly sharing: WeightSharing;
  /** The rows of an epoch, and which. */
  #order: { epoch: number; rows: Int32Array } | undefined;

  private constructor(trial: PreparedTrial, trainer: Trainer, team: Team) {
    this.#trial = trial;
    this.#trainer = trainer;
    this.#rounds = new Rounds(trial, trainer, team);
    const requested = requestedTensors(trial);
    this.sharing = {
      requested,
      setInitialWeights: (tensors) => trainer.setInitialWeights(tensors),
      published: () => publishedWeights(requested, trainer),
    };
  }

  /** `replaced`: its state will be restored before a step. */
  static async create(spec: TrainingSpec, team: Team = ALONE, { replaced = false } = {}): Promise<NetworkLearner> {
    const trial = await prepareTrial(spec, { replaced });
    return new NetworkLearner(trial, await Trainer.create(trainerOf(trial)), team);
  }

  get epochs(): number {
    return this.#trial.recipe.epochs;
  }

  get stepsPerEpoch(): number {
    return this.#trial.stepsPerEpoch;
  }

  get steps(): number {
    return this.#trainer.steps;
  }

  /** A round of one or more runs of the recipe's length. Rows that do not fill a batch are left to the next shuffle. */
  async train({ epoch, epochs, step }: TrainingPlace, stopNow: () => boolean): Promise<TrainedSteps | null> {
    const trial = this.#trial;
    if (this.#order?.epoch !== epoch) this.#order = { epoch, rows: orderOf(trial, epoch) };
    const order = this.#order.rows;
    const share = await this.#rounds.begin({ epoch, epochs, step }, trial.stepsPerEpoch - step);
    const { range, seats } = share;
    const trained = await trainShare(trial, this.#trainer, { order, range, epoch, epochs, step, seats }, stopNow);
    if (trained === null) return null;
    await this.#rounds.end(share);
    return { steps: share.batches, lossSum: trained.lossSum * (share.batches / trained.steps) }; // the others' losses are not known
  }

  async validated(): Promise<ValidatedParts> {
    const { deployed, valid, spec } = this.#trial;
    const weights = deployed.weights(this.#trainer.weights());
    const answers = await answerAll(exportModel(deployed.network, weights), valid, spec.threads);
    return { answers, parts: () => tensorsOf(weights) };
  }

  async exported(parts: ModelParts): Promise<{ model: TrainedModel; variants: TrainedVariant[] }> {
    const graph = inferenceGraph(this.#trial.deployed.network, weightsOf(parts));
    const explaining = await explanationData(this.#trial, parts);
    const { features } = this.#trial;
    const model = { onnx: encodeModel(graph), features, ...(explaining === undefined ? {} : { explaining }) };
    const int8 = await int8Variant(this.#trial, graph);
    return { model, variants: int8 === null ? [] : [int8] };
  }

  state(): Record<string, TensorData> {
    return this.#trainer.state();
  }

  restore(state: Record<string, TensorData>, steps: number): void {
    this.#trainer.restore(state, steps);
  }

  async release(): Promise<void> {
    await this.#trainer.release();
  }
}

/** Copies. */
const tensorsOf = (weights: Weights): ModelParts =>
  Object.fromEntries(
    Object.entries(weights).map(([name, { shape, data }]) => [
      name,
      { dtype: 'float32', shape: [...shape], data: data.slice() },
    ]),
  );

function weightsOf(parts: ModelParts): Weights {
  const weights: Record<string, Weight> = {};
  for (const [name, { shape, data }] of Object.entries(parts)) {
    if (!(data instanceof Float32Array)) {
      throw new CorruptParams('the weights of a network cannot be read', {
        detail: `"${name}" has another type than float32`,
        hint: 'The trial must start from the beginning.',
      });
    }
    weights[name] = { shape, data };
  }
  return weights;
}
