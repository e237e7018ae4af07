import { splitRows } from '../../src/datasets/split.ts';
import type { Knobs } from '../../src/domain/hyper-space.ts';
import { kindOf } from '../../src/domain/kinds/registry.ts';
import type { DataSet, Examples, RawInput, Task } from '../../src/domain/task.ts';
import { answerAll } from '../../src/engine/evaluate.ts';
import { createEncoder } from '../../src/features/registry.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { refitSpec } from '../../src/training/refit.ts';
import { trainTrial } from '../../src/training/train.ts';

/** Share of the rows that a trial is scored on. */
const VALIDATION = 0.2;
const FOLDS = 5;

export interface FamilyTrial {
  task: Task;
  family: string;
  knobs?: Knobs;
}

/** The score of a family's trial by the task's metric on rows that it has not seen: trained, then trained again on all rows as long as was best. */
export async function testScore(
  { task, family, knobs = {} }: FamilyTrial,
  data: DataSet,
  test: Examples,
): Promise<number> {
  const spec = { task, family, knobs, seed: 1, threads: 1, data };
  const scores: number[] = [];
  await trainTrial(spec, {
    onReport: async ({ score }) => {
      scores.push(score);
      return 'continue';
    },
    onCheckpoint: async () => undefined,
  });
  const best = scores.indexOf(Math.max(...scores)) + 1;
  const { model } = await trainTrial(refitSpec(spec, { continues: false, keepsFeatures: false }), {
    keepsLast: true,
    onReport: async ({ epoch }) => (epoch >= best ? 'stop' : 'continue'),
    onCheckpoint: async () => undefined,
  });
  const answers = await answerAll(model.onnx, await createEncoder(model.features).prepare(test.inputs), 1);
  return kindOf(task).score(answers, test.labels, { classes: data.classes }).score;
}

/** The same for each fold of all rows. */
export async function foldScores(recipe: FamilyTrial, all: Examples, classes: readonly string[]): Promise<number[]> {
  const order = createRng(1).shuffle(Int32Array.from(all.inputs, (_, row) => row));
  const scores: number[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    const [train, test] = [order.filter((_, i) => i % FOLDS !== fold), order.filter((_, i) => i % FOLDS === fold)];
    const labels = Int32Array.from(test, (row) => Number(all.labels[row]));
    const rows = Array.from(train, (row) => ({
      input: all.inputs[row] as RawInput,
      label: classes[Number(all.labels[row])] as string,
    }));
    const data = splitRows(rows, { task: recipe.task, validation: VALIDATION, known: classes });
    scores.push(
      await testScore(recipe, data, { inputs: Array.from(test, (row) => all.inputs[row] as RawInput), labels }),
    );
  }
  return scores;
}

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value / values.length, 0);
