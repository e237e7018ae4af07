import { argmax } from '../domain/metrics.ts';
import { decisiveMembers, majorityVote } from '../domain/vote.ts';
import type { MemberOutput } from './device.ts';

/** What an ensemble says of one row. */
export interface Verdict {
  /** Index of the class that most of the asked members chose. */
  label: number;
  /** Mean over the asked members, one per class. */
  probabilities: Float32Array;
}

/** How many members a question needs: the label alone needs those that can decide it, the probabilities all. */
export const membersFor = (members: number, wantsDetail: boolean): number =>
  wantsDetail ? members : decisiveMembers(members);

export function verdictOf(outputs: readonly MemberOutput[], row: number, classes: number): Verdict {
  const probabilities = new Float32Array(classes);
  const votes = outputs.map((output) => argmax(output, row * classes, classes));
  for (const output of outputs) {
    for (let c = 0; c < classes; c++) probabilities[c]! += (output[row * classes + c] as number) / outputs.length;
  }
  return { label: majorityVote(votes), probabilities };
}
