import { kindOf } from '../domain/kinds/registry.ts';
import type { Metric } from '../domain/metrics.ts';
import type { DataSet, Task } from '../domain/task.ts';
import { answerAll } from '../engine/evaluate.ts';
import { createEncoder } from '../features/registry.ts';
import type { Incumbent } from './messages.ts';

/** Score of a deployed ensemble (best member first) on the validation rows; classes unknown to it count as wrong. */
export async function scoreIncumbent(
  { members, rule }: Pick<Incumbent, 'members' | 'rule'>,
  { task, data, threads, metric }: { task: Task; data: DataSet; threads: number; metric?: Metric },
): Promise<number> {
  const { inputs, labels } = data.valid;
  const kind = kindOf(task);
  const asked = rule === 'weighted' || (rule === 'vote' && kind.votes(metric)) ? members : members.slice(0, 1);
  const answers = [];
  for (const { model, ...weight } of asked) {
    const { onnx, features } = model;
    const rows = await createEncoder(features).prepare(inputs);
    answers.push({ answers: await answerAll(onnx, rows, threads), classes: features.classes, ...weight });
  }
  return kind.scoreEnsemble(answers, labels, { classes: data.classes, metric, rule });
}
