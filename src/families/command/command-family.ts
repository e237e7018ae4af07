import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { spaceOf } from '../../domain/knob-rows.ts';
import { inputOf, outputOf } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import type { FittedFeatures, TrainingSpec } from '../../domain/training.ts';
import type { RequestedTensor } from '../../domain/warm-start.ts';
import type { EncodedRows } from '../../features/encoder.ts';
import { createEncoder } from '../../features/registry.ts';
import { fitAnswers } from '../../models/answering.ts';
import type { LearnerFamily } from '../../models/family.ts';
import { featureSize, fitChosen } from './command-features.ts';
import { CommandLearner } from './command-learner.ts';
import { CommandProcess } from './command-process.ts';
import type { CommandDescription } from './description.ts';
import { explainedRows } from './explained-rows.ts';
import { targetTensors } from './target-tensors.ts';
import { writeRows, writeTensors } from './trial-files.ts';
import { PROTOCOL, wrong } from './wrong-message.ts';

/** A command and where its programs are looked for. */
export interface CommandPlace {
  command: string;
  path: string;
}

/** Until it is ready to train: PyTorch takes seconds to be loaded, on a busy machine more. */
const READY_MS = 120_000;
/** Of an epoch, if the trial has no other limit. */
const EPOCH_MS = 3_600_000;
const MAX_EPOCHS = 100_000;
const MAX_WEIGHTS = 10_000;

/** The family of a command that has described itself. */
export const commandFamily = (description: CommandDescription, place: CommandPlace): LearnerFamily => ({
  name: description.name,
  title: description.title,
  input: description.input,
  outputs: description.outputs,
  ...(description.minTrials === undefined ? {} : { minTrials: description.minTrials }),
  space: () => spaceOf(description.knobs),
  trainsAllEpochs: true,
  learner: (spec) => startCommand(spec, description, place),
});

/** Writes the trial's files, starts the command and waits until it is ready. */
async function startCommand(
  spec: TrainingSpec,
  { features: choice }: CommandDescription,
  { command, path: programs }: CommandPlace,
): Promise<CommandLearner> {
  const { data, fitTo = data.train, threads, command: parts } = spec;
  const folder = path.join(parts?.folder ?? tmpdir(), `command-${randomUUID()}`);
  await mkdir(folder, { mode: 0o700 });
  const clean = (): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 3 });
  let process: CommandProcess | undefined;
  try {
    const fitted = { ...fitTo, classes: data.classes };
    const features: FittedFeatures = {
      ...(await fitChosen(choice, fitted, spec.knobs)),
      ...fitAnswers(fitted),
    };
    const encoder = createEncoder(features);
    const valid = await encoder.prepare(data.valid.inputs);
    const files = await writeFiles(spec, features, folder);
    process = new CommandProcess({ command, folder, path: programs, threads });
    process.send(
      fitMessage(spec, { features, size: featureSize(choice, features), folder, seconds: parts?.seconds, ...files }),
    );
    const limitMs = parts === undefined ? EPOCH_MS : 1000 * parts.epochSeconds;
    const ready = readyOf(await process.receive({ limitMs: Math.min(READY_MS, limitMs), what: '"ready"' }));
    const explaining = explainedRows(data.train.inputs);
    return new CommandLearner({
      ...{ process, folder, features, valid, spec, limitMs, clean, ...ready },
      ...(explaining === undefined ? {} : { explaining }),
    });
  } catch (error) {
    process?.kill();
    await clean();
    throw error;
  }
}

/** What its model reads of a row, for the message: [N, …]. */
type InputShapes = Record<string, Pick<TensorData, 'dtype'> & { shape: (number | string)[] }>;

interface TrialFiles {
  tensors: string;
  csv: string | undefined;
  inputs: InputShapes;
}

async function writeFiles(
  { data, balanced = false }: TrainingSpec,
  features: FittedFeatures,
  folder: string,
): Promise<TrialFiles> {
  const { train, classes } = data;
  const encoder = createEncoder(features);
  const truth = { labels: train.labels, classes };
  const rows: EncodedRows = encoder.prepareTraining?.(train.inputs, truth) ?? (await encoder.prepare(train.inputs));
  const encoded = rows.batch(Int32Array.from({ length: rows.count }, (_, row) => row));
  const inputs = Object.entries(encoded).map(([name, { dtype, shape }]) => {
    // in sequences of ids the second dimension is the length of the longest text
    const isSequence = name === 'ids' || name === 'weights';
    return [name, { dtype, shape: ['N', ...(isSequence ? ['T', ...shape.slice(2)] : shape.slice(1))] }];
  });
  const targets = targetTensors(train.labels, { classes: classes.length, balanced });
  return {
    inputs: Object.fromEntries(inputs),
    tensors: await writeTensors(folder, 'train.safetensors', { ...encoded, ...targets }),
    csv: await writeRows(folder, train, classes),
  };
}

interface FitParts extends TrialFiles {
  features: FittedFeatures;
  size: number;
  folder: string;
  seconds: number | undefined;
}

function fitMessage(spec: TrainingSpec, { features, size, folder, seconds, ...files }: FitParts) {
  const { task, knobs, seed, threads, data, metric } = spec;
  const { classes, target } = features;
  return {
    ...{ rafiki: PROTOCOL, do: 'fit', task, input: inputOf(task), output: outputOf(task), classes },
    ...(target === undefined ? {} : { mean: target.mean, deviation: target.scale }),
    ...{ knobs, seed, threads, seconds, metric, rows: data.train.inputs.length, size, folder, ...files },
  };
}

/** What "ready" says. */
interface Ready {
  epochs: number;
  weights: RequestedTensor[];
  hasCheckpoints: boolean;
}

function readyOf(message: Readonly<Record<string, unknown>> | null): Ready {
  const ready = message?.['ready'];
  if (typeof ready !== 'object' || ready === null) throw wrong('ready', message, 'an object with the number of epochs');
  const {
    epochs,
    weights = [],
    checkpoints = false,
  }: { epochs?: unknown; weights?: unknown; checkpoints?: unknown } = ready;
  const isCount = typeof epochs === 'number' && Number.isInteger(epochs) && epochs >= 1 && epochs <= MAX_EPOCHS;
  if (!isCount) throw wrong('epochs', epochs, `a whole number from 1 to ${MAX_EPOCHS}`);
  if (!Array.isArray(weights) || weights.length > MAX_WEIGHTS || !weights.every(isWeight))
    throw wrong('weights', weights, 'a list of {"name": …, "shape": […], "role": …}');
  const requested = weights.map(({ name, shape, role = 'weight' }) => ({ name, shape, role }));
  if (new Set(requested.map(({ name }) => name)).size < requested.length)
    throw wrong('weights', weights, 'a list with each name once');
  return { epochs, weights: requested, hasCheckpoints: checkpoints === true };
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '' && value.length <= 200;

function isWeight(value: unknown): value is Omit<RequestedTensor, 'role'> & { role?: string } {
  if (typeof value !== 'object' || value === null) return false;
  const { name, shape, role = 'weight' }: { name?: unknown; shape?: unknown; role?: unknown } = value;
  const isShape = Array.isArray(shape) && shape.length <= 8 && shape.every((dim) => Number.isInteger(dim) && dim >= 0);
  return isText(name) && isText(role) && isShape;
}
