import type { TensorData } from '../../domain/tensor.ts';
import type {
  FittedFeatures,
  PretrainedParts,
  TrainedModel,
  TrainedVariant,
  TrainingSpec,
} from '../../domain/training.ts';
import type { MapSettings } from '../../encoders/head/fit-map.ts';
import type { HeadTrainer } from '../../encoders/head/head-trainer.ts';
import { CorruptParams } from '../../errors/errors.ts';
import type { EncodedRows } from '../../features/encoder.ts';
import { answersOf, answerWidth, fitAnswers } from '../answering.ts';
import type { Learner, ModelParts, TrainedSteps, TrainingPlace, ValidatedParts } from '../learner.ts';
import { headTargets } from './head-targets.ts';

/** Iterations of an epoch, each a few hundredths of a second for ten thousand rows. */
const EPOCH_ITERATIONS = 10;
const PATIENCE = 4;

export interface HeadKnobs {
  settings: MapSettings;
  l2: number;
  epochs: number;
}

/**
 * Computes the vectors of all rows, and begins a head on them. Imported when it is needed: it loads ONNX Runtime, and coordinators read the
 * registry of families without it.
 */
export async function createHeadLearner(
  { data, fitTo = data.train, balanced = false, seed, threads }: TrainingSpec,
  { file, cacheDir, name, paramsId }: PretrainedParts,
  { settings, l2, epochs }: HeadKnobs,
): Promise<HeadLearner> {
  const [{ embedData }, { HeadTrainer }, { vectorRows }] = await Promise.all([
    import('../../encoders/embedded-data.ts'),
    import('../../encoders/head/head-trainer.ts'),
    import('../../encoders/pretrained-rows.ts'),
  ]);
  const { train, valid, classes } = data;
  const rows = train.inputs.length;
  const vectors = await embedData([...train.inputs, ...valid.inputs], { file, cacheDir, threads });
  const width = vectors.length / (rows + valid.inputs.length);
  const features: FittedFeatures = {
    ...{ encoder: 'pretrained', state: { width }, ...fitAnswers({ ...fitTo, classes }) },
    pretrained: { name, paramsId },
  };
  const answers = answersOf(features);
  const trainer = await HeadTrainer.create({
    ...{ vectors: { data: vectors.subarray(0, rows * width), rows, width }, settings, l2, seed, threads },
    ...{ outputs: answerWidth(answers), unit: answers.target },
    ...headTargets(train.labels, answers, { balanced }),
  });
  const validRows = vectorRows(vectors.subarray(rows * width), valid.inputs.length);
  return new HeadLearner({ trainer, features, valid: validRows, epochs });
}

interface HeadParts {
  trainer: HeadTrainer;
  features: FittedFeatures;
  valid: EncodedRows;
  epochs: number;
}

/** A head in training: a step is an iteration, and its best epoch is where validation is best, as with any early stopping. */
class HeadLearner implements Learner {
  readonly #parts: HeadParts;
  #iterations = 0;

  readonly stepsPerEpoch = EPOCH_ITERATIONS;
  readonly patience = PATIENCE;

  constructor(parts: HeadParts) {
    this.#parts = parts;
  }

  get epochs(): number {
    return this.#parts.epochs;
  }

  get steps(): number {
    return this.#iterations;
  }

  async train(_: TrainingPlace, stopNow: () => boolean): Promise<TrainedSteps | null> {
    if (stopNow()) return null;
    const loss = await this.#parts.trainer.iterate();
    this.#iterations++;
    return { steps: 1, lossSum: loss };
  }

  async validated(): Promise<ValidatedParts> {
    const { trainer, valid } = this.#parts;
    const { w, b } = trainer.weights;
    const tensor = (data: Float32Array): TensorData => ({ dtype: 'float32', shape: [data.length], data });
    return {
      answers: await trainer.answers({ w, b }, valid),
      parts: () => ({ w: tensor(w), b: tensor(b) }),
    };
  }

  async exported(parts: ModelParts): Promise<{ model: TrainedModel; variants: TrainedVariant[] }> {
    const { trainer, features } = this.#parts;
    return {
      model: { onnx: trainer.export({ w: floats(parts, 'w'), b: floats(parts, 'b') }), features },
      variants: [],
    };
  }

  state(): Record<string, TensorData> {
    const { point, steps, changes } = this.#parts.trainer.descent;
    const tensor = (data: Float32Array): TensorData => ({ dtype: 'float32', shape: [data.length], data: data.slice() });
    const numbered = (prefix: string, all: readonly Float32Array[]): [string, TensorData][] =>
      all.map((data, i) => [`${prefix}.${i}`, tensor(data)]);
    return {
      point: tensor(point),
      ...Object.fromEntries([...numbered('step', steps), ...numbered('change', changes)]),
    };
  }

  restore(state: Record<string, TensorData>, steps: number): void {
    const { trainer } = this.#parts;
    const pairs = Object.keys(state).filter((name) => name.startsWith('step.')).length;
    const numbered = (prefix: string): Float32Array[] =>
      Array.from({ length: pairs }, (_, i) => floats(state, `${prefix}.${i}`));
    const descent = { point: floats(state, 'point'), steps: numbered('step'), changes: numbered('change') };
    const size = trainer.descent.point.length;
    if ([descent.point, ...descent.steps, ...descent.changes].some(({ length }) => length !== size)) throw otherHead();
    trainer.continueFrom(descent);
    this.#iterations = steps;
  }

  release(): Promise<void> {
    return this.#parts.trainer.release();
  }
}

function floats(tensors: Readonly<Record<string, TensorData>>, name: string): Float32Array {
  const data = tensors[name]?.data;
  if (data instanceof Float32Array) return data;
  throw otherHead();
}

const otherHead = (): CorruptParams =>
  new CorruptParams('the checkpoint of a head is damaged', { hint: 'The trial must start from the beginning.' });
