import type { DeploymentRow } from '../../db/statements/serving.ts';
import { RequestTooLarge } from '../../errors/errors.ts';
import type { FoundBox } from '../ensemble.ts';
import type { RequestOutcome } from '../queue/queued-request.ts';
import type { ServedModel } from '../served-model.ts';

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
  outcome: RequestOutcome,
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

function findingOf({ answer, finding }: RequestOutcome, classes: readonly string[]): ShownFinding {
  if (finding === null) throw new Error('details of an answer that was asked without them');
  if ('boxes' in finding) return finding;
  const { probabilities } = finding;
  return {
    label: answer,
    probabilities: Object.fromEntries(classes.map((name, c) => [name, round(probabilities[c] ?? 0)])),
  };
}

/** What the event loop writes without letting others wait for long. rafiki._detail_rows() asks for a quarter of it. */
const MAX_REPLY_BYTES = 16_000_000;
/** Of a detail without its classes; `, "name": 0.1234` has so many more than the name. */
const DETAIL_BYTES = 200;
const CLASS_BYTES = 10;

/** Refuses details of so many rows that their reply would be very long. One row is always answered. */
export function checkReplySize({ classes }: Pick<DeploymentRow, 'classes'>, rows: number): void {
  const rowBytes = classes.reduce((bytes, name) => bytes + name.length + CLASS_BYTES, DETAIL_BYTES);
  if (rows <= 1 || rows * rowBytes <= MAX_REPLY_BYTES) return;
  throw new RequestTooLarge('a prediction asks too much at once', {
    detail: `The details of ${rows} inputs with ${classes.length} classes have some ${Math.round((rows * rowBytes) / 1e6)} MB; ${MAX_REPLY_BYTES / 1e6} MB are the most.`,
    hint: 'Give the array in parts.',
  });
}

const round = (value: number): number => Number(value.toFixed(4));
