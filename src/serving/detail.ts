import type { FoundBox } from './ensemble.ts';
import type { Outcome } from './queued-question.ts';
import type { ServedModel } from './served-model.ts';

/** What `rafiki_predict_detail` shows. */
export type Detail = ShownFinding & {
  versions: number[];
  members: { family: string; score: number }[];
  batch: number;
  ms: number;
  overdue: boolean;
};

type ShownFinding = { label: string; probabilities: Record<string, number> } | { boxes: FoundBox[] };

export function detailOf(
  outcome: Outcome,
  { row }: ServedModel,
  { ms, overdue }: { ms: number; overdue: boolean },
): Detail {
  return {
    ...findingOf(outcome, row.classes),
    versions: [row.version],
    members: row.members.slice(0, outcome.members).map(({ family, score }) => ({ family, score: round(score) })),
    batch: outcome.batch,
    ms: round(ms),
    overdue,
  };
}

function findingOf({ answer, finding }: Outcome, classes: readonly string[]): ShownFinding {
  if (finding === null) throw new Error('details of an answer that was asked without them');
  if ('boxes' in finding) return finding;
  const { probabilities } = finding;
  return {
    label: answer,
    probabilities: Object.fromEntries(classes.map((name, c) => [name, round(probabilities[c] ?? 0)])),
  };
}

const round = (value: number): number => Number(value.toFixed(4));
