import { detectionSize, MAX_DETECTIONS } from '../domain/kinds/detection.ts';
import { inputOf, outputOf, type RawInput, type Task } from '../domain/task.ts';
import { EMBEDDING } from '../encoders/pretrained-rows.ts';
import { loadModel } from '../engine/inference.ts';
import { BadData } from '../errors/errors.ts';
import { sampleImage } from '../features/images.ts';
import { createEncoder } from '../features/registry.ts';
import { readInteger } from '../features/state.ts';
import { loadForeign } from './foreign-model.ts';
import type { CheckedImport, ImportedMember } from './messages.ts';
import { FOREIGN } from './plan.ts';
import { sampleRow } from './sample-row.ts';

/** Numbers of an encoder's vector. */
const MAX_WIDTH = 2 ** 16;

/** Runs each member of an export on a sample. Throws BadData for one that does not answer as its classes want it. */
export async function tried(found: CheckedImport, task: Task, threads: number): Promise<CheckedImport> {
  const sample = await sampleOf(found, task);
  for (const member of found.members) {
    const numbers = await answersOf(member, sample, threads);
    const expected = outputOf(task) === 'number' ? 1 : found.classes.length;
    const isRight = outputOf(task) === 'boxes' ? areDetections(numbers) : numbers === expected;
    if (isRight) continue;
    throw new BadData('a member of the exported model does not answer with its classes', {
      detail: `It gives ${numbers} numbers for a row, and there are ${expected} classes.`,
      hint: 'Export the model again.',
    });
  }
  return found;
}

const areDetections = (numbers: number): boolean =>
  numbers % detectionSize === 0 && numbers <= detectionSize * MAX_DETECTIONS;

async function sampleOf({ columns }: CheckedImport, task: Task): Promise<RawInput> {
  if (inputOf(task) === 'text') return 'A short text.';
  if (inputOf(task) === 'image') return sampleImage();
  return JSON.stringify(Object.fromEntries((columns ?? []).map(({ name }) => [name, null])));
}

/** How many numbers a member answers to a row with; if it stands on an encoder, which the file does not have, to a vector of zeros. */
async function answersOf({ model, encoder }: ImportedMember, sample: RawInput, threads: number): Promise<number> {
  if (model.features.encoder === FOREIGN) {
    const foreign = await loadForeign(model.onnx, model.features, threads);
    return (await foreign.answers([sampleRow(model.explaining) ?? sample])).length;
  }
  const loaded = await loadModel(model.onnx, { threads });
  if (encoder === undefined)
    return (await loaded.run(await createEncoder(model.features).encode([sample]))).data.length;
  const width = readInteger(model.features.state, 'width');
  if (width < 1 || width > MAX_WIDTH) throw new RangeError(`a vector of ${width} numbers`);
  const feeds = { [EMBEDDING]: { dtype: 'float32' as const, shape: [1, width], data: new Float32Array(width) } };
  return (await loaded.run(feeds)).data.length;
}
