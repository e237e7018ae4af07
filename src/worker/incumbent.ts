import { accuracy } from '../domain/metrics.ts';
import type { DataSet } from '../domain/task.ts';
import type { TrainedModel } from '../domain/training.ts';
import { majorityVote } from '../domain/vote.ts';
import { predictAll } from '../engine/evaluate.ts';
import { createEncoder } from '../features/registry.ts';

/** Accuracy of a deployed ensemble (best member first) on the validation rows; classes it does not know count as wrong. */
export async function scoreIncumbent(
  members: readonly TrainedModel[],
  data: DataSet,
  threads: number,
): Promise<number> {
  const { inputs, labels } = data.valid;
  const votes: Uint16Array[] = [];
  for (const { onnx, features } of members) {
    const predictions = await predictAll(onnx, await createEncoder(features).prepare(inputs), threads);
    const place = features.classes.map((label) => data.classes.indexOf(label) & 0xffff); // −1 becomes 65535: no label's index
    votes.push(predictions.map((index) => place[index] as number));
  }
  const voted = labels.map((_, row) => majorityVote(votes.map((vote) => vote[row] as number)));
  return accuracy(voted, labels);
}
