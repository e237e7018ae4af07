import type { Database } from '../../db/database.ts';
import { encoderExists, insertEncoder, requireRoles } from '../../db/statements/encoders.ts';
import type { RawInput } from '../../domain/task.ts';
import type { TrainedModel } from '../../domain/training.ts';
import { Embedder } from '../../encoders/embedder.ts';
import { type KnownVectors, obstacleOf } from '../../encoders/tuned/check-trainable.ts';
import { BadData, InvalidParameter, InvalidState } from '../../errors/errors.ts';
import { RafikiError } from '../../errors/rafiki-error.ts';
import { sampleImage } from '../../features/images.ts';
import { reasonOf } from '../../foreign/foreign-model.ts';
import { packModel } from '../../params/model-codec.ts';
import type { ParamStore } from '../../params/param-store.ts';
import { checkReading } from './check-reading.ts';
import type { EncoderSource } from './encoder-source.ts';

/** Numbers of a vector: a wider one is mostly a mistake, such as logits of a vocabulary. */
const MAX_WIDTH = 8192;

export interface AddedEncoder {
  name: string;
  width: number;
  bytes: number;
  /** Why its weights cannot be trained further; null if they can. */
  obstacle: string | null;
}

const encoderName = /^[a-z][a-z0-9_-]{0,62}$/;

interface AddedTo {
  database: Database;
  params: ParamStore;
  /** Null: every role may use it. */
  roles: readonly string[] | null;
}

/**
 * Reads an encoder, tries it on some inputs, stores it, and lets roles use it. What is wrong with its name or its roles is told before its files are
 * read, which may take minutes.
 */
export async function addEncoder(
  name: string,
  read: () => Promise<EncoderSource>,
  { database, params, roles }: AddedTo,
): Promise<AddedEncoder & Pick<EncoderSource, 'input' | 'licence'>> {
  if (!encoderName.test(name)) {
    throw new InvalidParameter(`"${name}" is no name for an encoder`, {
      hint: 'Write lower-case letters, digits, - and _, a letter first, at most 63 of them.',
    });
  }
  if (await encoderExists(database, name)) {
    throw new InvalidState(`there is an encoder "${name}" already`, {
      hint: `Give this one another name, or first: rafiki encoder remove ${name}`,
    });
  }
  await requireRoles(database, roles ?? []);
  const { input, model, source, licence } = await read();
  if (input === 'text') await checkReading(model);
  const known = await tried(model, input);
  const obstacle = await obstacleOf(model, known);
  const [width, bytes] = [known.vectors.length / known.inputs.length, model.onnx.length];
  const paramsId = await params.save('model', packModel(model));
  await insertEncoder(database, { name, input, width, paramsId, source, licence, bytes, roles, obstacle });
  return { name, width, bytes, obstacle, input, licence };
}

const sampleTexts = [
  '',
  'A short text.',
  'An idea that sounds good on paper, told with warmth and wit, and not a minute too long.',
];

const sampleSizes = [
  { width: 1, height: 1 },
  { width: 640, height: 20 },
  { width: 256, height: 256 },
];

/** Inputs with their vectors. Throws if inputs have none, if they are not finite, or if they do not depend on the input. */
async function tried(model: TrainedModel, input: 'text' | 'image'): Promise<KnownVectors> {
  const samples: RawInput[] = input === 'text' ? sampleTexts : await Promise.all(sampleSizes.map(sampleImage));
  const embedder = await Embedder.load(model, { threads: 1 });
  try {
    const vectors = (await embedder.embed(samples).catch(unable)) ?? new Float32Array(0);
    const width = vectors.length / samples.length;
    if (width < 1 || width > MAX_WIDTH) {
      throw new BadData(`a vector of the encoder has ${width} numbers`, {
        detail: `The maximum is ${MAX_WIDTH}.`,
        hint: 'Name another output with --pooling.',
      });
    }
    if (!vectors.every(Number.isFinite)) {
      throw new BadData('the encoder answers with numbers that are not finite', {
        hint: 'Its file may be damaged: fetch it again.',
      });
    }
    const one = embedder.embed(samples.slice(-1)).catch(unable);
    const again = (await one) ?? new Float32Array(0);
    const difference = again.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - (vectors[vectors.length - width + i] as number))),
      0,
    );
    if (difference > 1e-2) {
      throw new BadData('the vector of an input depends on the other inputs of its batch', {
        detail: `The largest difference is ${difference}.`,
        hint: 'The model may not be made for batches, or reads an attention mask that it does not get.',
      });
    }
    return { inputs: samples, vectors };
  } finally {
    await embedder.release();
  }
}

function unable(cause: unknown): never {
  if (cause instanceof RafikiError) throw cause;
  throw new BadData('the ONNX file cannot be run on samples of its input', {
    detail: reasonOf(cause),
    hint: 'Export it for any number of inputs; images must have the size that its preprocessor, or --side, gives them.',
    cause,
  });
}
