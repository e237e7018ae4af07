import { MAX_STORED_TENSOR_BYTES, type TensorData } from '../../domain/tensor.ts';
import type { FittedFeatures, TrainedModel, TrainedVariant, TrainingSpec } from '../../domain/training.ts';
import type { PublishedWeights, RequestedTensor } from '../../domain/warm-start.ts';
import { CorruptParams, FamilyFailed } from '../../errors/errors.ts';
import type { EncodedRows } from '../../features/encoder.ts';
import type { Learner, ModelParts, TrainedSteps, TrainingPlace, ValidatedParts } from '../../models/learner.ts';
import type { CommandProcess } from './command-process.ts';
import { answersOfMade } from './made-model.ts';
import { readFloatTensors } from './safetensors.ts';
import { checkWritten, readWritten, writeParts, writeTensors } from './trial-files.ts';
import { wrong } from './wrong-message.ts';

/** Of a file in the database: a server holds a model in memory on each thread. */
const MAX_MODEL_BYTES = 2 ** 28;
/** It is stored as one tensor. */
const MAX_CHECKPOINT_BYTES = MAX_STORED_TENSOR_BYTES;
const MAX_WEIGHTS_BYTES = 2 ** 30;

/** A command that is ready to train. */
export interface StartedCommand {
  process: CommandProcess;
  folder: string;
  features: FittedFeatures;
  valid: EncodedRows;
  spec: Pick<TrainingSpec, 'threads'>;
  epochs: number;
  /** Weights that it may start from and publishes; none if it says nothing of them. */
  weights: readonly RequestedTensor[];
  hasCheckpoints: boolean;
  /** Of an epoch. */
  limitMs: number;
  explaining?: TrainedModel['explaining'];
  /** Deletes the folder. */
  clean(): Promise<void>;
}

/** What an epoch has left behind. */
interface MadeEpoch {
  onnx: Buffer;
  /** Reads it: it may be large, and not each epoch's is stored. */
  checkpoint?: () => Buffer;
  weights?: PublishedWeights;
}

/**
 * A family's command in training: a step is an epoch. Each epoch makes an ONNX file, which is validated and, if it is the best, deployed. The
 * validation rows never reach the command.
 */
export class CommandLearner implements Learner {
  readonly #started: StartedCommand;
  #made: MadeEpoch | undefined;
  #epochs = 0;
  /** Writes the file that the next epoch begins with: its path by what it is. */
  #begin: (() => Promise<Record<string, string>>) | undefined;

  readonly stepsPerEpoch = 1;
  readonly sharing?: NonNullable<Learner['sharing']>;

  constructor(started: StartedCommand) {
    this.#started = started;
    const { weights } = started;
    if (weights.length === 0) return;
    this.sharing = {
      requested: weights,
      setInitialWeights: (tensors) => {
        if (Object.keys(tensors).length === 0) return;
        const { folder } = this.#started;
        this.#begin = async () => ({ weights: await writeTensors(folder, 'given.weights', tensors) });
      },
      published: () => this.#made?.weights ?? { tensors: {}, roles: {} },
    };
  }

  get epochs(): number {
    return this.#started.epochs;
  }

  get steps(): number {
    return this.#epochs;
  }

  get savesState(): boolean {
    return this.#started.hasCheckpoints || this.epochs === 1;
  }

  async train({ epoch, epochs }: TrainingPlace, stopNow: () => boolean): Promise<TrainedSteps | null> {
    const { process, limitMs } = this.#started;
    const given = await this.#begin?.();
    this.#begin = undefined;
    process.send({ train: { epoch: epoch + 1, epochs, ...given } });
    const answer = await process.receive({ limitMs, what: `epoch ${epoch + 1}`, isOver: stopNow });
    if (answer === null) return null;
    const { epoch: made } = answer;
    if (typeof made !== 'object' || made === null) throw wrong('epoch', made, 'an object with a loss and a model');
    const loss: unknown = 'loss' in made ? made.loss : undefined;
    if (typeof loss !== 'number' || !Number.isFinite(loss)) throw wrong('loss', loss, 'a number');
    this.#made = this.#read(made);
    this.#epochs = epoch + 1;
    return { steps: 1, lossSum: loss };
  }

  async validated(): Promise<ValidatedParts> {
    const { onnx } = this.#current();
    const { features, valid, spec } = this.#started;
    const answers = await answersOfMade(onnx, valid, { classes: features.classes.length, threads: spec.threads });
    return { answers, parts: () => ({ onnx: bytesTensor(onnx) }) };
  }

  async exported({ onnx }: ModelParts): Promise<{ model: TrainedModel; variants: TrainedVariant[] }> {
    const { features, explaining } = this.#started;
    const model = { onnx: bytesOf(onnx), features, ...(explaining === undefined ? {} : { explaining }) };
    return { model, variants: [] };
  }

  state(): Record<string, TensorData> {
    const { onnx, checkpoint } = this.#current();
    return { onnx: bytesTensor(onnx), ...(checkpoint === undefined ? {} : { checkpoint: bytesTensor(checkpoint()) }) };
  }

  restore({ onnx, checkpoint }: Record<string, TensorData>, steps: number): void {
    this.#made = { onnx: Buffer.from(bytesOf(onnx)) };
    this.#epochs = steps;
    if (checkpoint === undefined) return;
    const bytes = Buffer.from(bytesOf(checkpoint));
    this.#made.checkpoint = () => bytes;
    const { folder } = this.#started;
    this.#begin = async () => ({ checkpoint: await writeParts(folder, 'given.checkpoint', [bytes]) });
  }

  async release(): Promise<void> {
    this.#started.process.kill();
    await this.#started.clean();
  }

  #current(): MadeEpoch {
    if (this.#made !== undefined) return this.#made;
    throw new RangeError('the command of a family has made no model yet');
  }

  #read(made: object): MadeEpoch {
    const { folder, weights: declared, hasCheckpoints } = this.#started;
    const { model, checkpoint, weights }: { model?: unknown; checkpoint?: unknown; weights?: unknown } = made;
    const onnx = readWritten(folder, { what: 'model', name: model, maxBytes: MAX_MODEL_BYTES });
    const state = { what: 'checkpoint', name: checkpoint, maxBytes: MAX_CHECKPOINT_BYTES };
    if (hasCheckpoints) checkWritten(folder, state);
    const file = { what: 'weights', name: weights, maxBytes: MAX_WEIGHTS_BYTES };
    return {
      onnx,
      ...(hasCheckpoints ? { checkpoint: () => readWritten(folder, state) } : {}), // before the next epoch begins
      ...(declared.length > 0 ? { weights: publishedOf(readWritten(folder, file), declared) } : {}),
    };
  }
}

/** Throws unless the file has the tensors that the command spoke of. */
function publishedOf(file: Buffer, declared: readonly RequestedTensor[]): PublishedWeights {
  const tensors = readFloatTensors(file);
  if (tensors === undefined) throw noWeights('The file is not in the format of safetensors, with float32 only.');
  for (const { name, shape } of declared) {
    const tensor = tensors[name];
    if (tensor?.shape.join() !== shape.join())
      throw noWeights(`"${name}" is ${tensor ? `[${tensor.shape.join(', ')}]` : 'missing'}.`);
    if (!(tensor.data as Float32Array).every(Number.isFinite))
      throw noWeights(`"${name}" has numbers that are not finite.`);
  }
  return {
    tensors: Object.fromEntries(declared.map(({ name }) => [name, tensors[name] as TensorData])),
    roles: Object.fromEntries(declared.map(({ name, role }) => [name, role])),
  };
}

const noWeights = (detail: string): FamilyFailed =>
  new FamilyFailed('the "weights" of the family\'s command are not those that "ready" announced', {
    detail,
    hint: 'Write all of them, with their names and shapes.',
  });

const bytesTensor = (data: Uint8Array): TensorData => ({ dtype: 'uint8', shape: [data.length], data });

function bytesOf(tensor: TensorData | undefined): Uint8Array {
  if (tensor?.data instanceof Uint8Array) return tensor.data;
  throw new CorruptParams("the checkpoint of a family's command is damaged", {
    hint: 'The trial must start from the beginning.',
  });
}
