import { splitRows } from '../../src/datasets/split.ts';
import type { Knobs } from '../../src/domain/hyper-space.ts';
import { kindOf } from '../../src/domain/kinds/registry.ts';
import type { Examples, RawInput, Task } from '../../src/domain/task.ts';
import type { PretrainedParts } from '../../src/domain/training.ts';
import { embedData } from '../../src/encoders/embedded-data.ts';
import { vectorRows } from '../../src/encoders/pretrained-rows.ts';
import { answerAll } from '../../src/engine/evaluate.ts';
import { createEncoder } from '../../src/features/registry.ts';
import { trainTrial } from '../../src/training/train.ts';

/** Share of the rows that a trial is scored on, as studies have it. */
const VALIDATION = 0.2;

/** The rows of one seed: what is trained on, and rows that no training sees. */
export interface SeededRows {
  task: Task;
  classes: readonly string[];
  rows: Examples;
  test: Examples;
  seed: number;
}

/** A family, with knobs that are not its initial ones. */
export interface ComparedTrial {
  family: string;
  knobs?: Knobs;
}

/** The accuracy of a trial on the test rows; its best epoch is chosen on a fifth of the other rows. */
export async function testedTrial(
  { family, knobs = {} }: ComparedTrial,
  { task, classes, rows, test, seed }: SeededRows,
  pretrained: PretrainedParts,
): Promise<number> {
  const labelled = rows.inputs.map((input, row) => ({ input, label: classes[Number(rows.labels[row])] as string }));
  const data = splitRows(labelled, { task, validation: VALIDATION, known: classes });
  const hooks = { onReport: async () => 'continue' as const, onCheckpoint: async () => undefined };
  const { model } = await trainTrial({ task, family, knobs, seed, threads: 1, data, pretrained }, hooks);
  const inputs =
    model.features.pretrained === undefined
      ? await createEncoder(model.features).prepare(test.inputs)
      : vectorRows(await vectorsOf(test.inputs, pretrained), test.inputs.length);
  const answers = await answerAll(model.onnx, inputs, 1);
  return kindOf(task).score(answers, test.labels, { classes: data.classes }).score;
}

/** [inputs, width]; kept on disk, so that each input is computed once. */
export const vectorsOf = (inputs: readonly RawInput[], { file, cacheDir }: PretrainedParts): Promise<Float32Array> =>
  embedData(inputs, { file, cacheDir, threads: 1 });
