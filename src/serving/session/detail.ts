import type { DeploymentRow } from '../../db/statements/deployments.ts';
import { type Finding, rounded } from '../../domain/kinds/kind.ts';
import { RequestTooLarge } from '../../errors/errors.ts';
import type { RequestOutcome } from '../queue/queued-request.ts';
import type { ServedModel } from '../served-model.ts';

/** What `rafiki_predict_detail` shows. */
export type Detail = Finding & {
  versions: number[];
  members: { family: string; score: number }[];
  batch: number;
  ms: number;
  overdue: boolean;
};

export function detailOf(
  outcome: RequestOutcome,
  { row }: ServedModel,
  { ms, overdue }: { ms: number; overdue: boolean },
): Detail {
  return {
    ...findingOf(outcome),
    versions: [row.version],
    members: row.members.slice(0, outcome.members).map(({ family, score }) => ({ family, score: rounded(score) })),
    batch: outcome.batch,
    ms: rounded(ms),
    overdue,
  };
}

function findingOf({ finding }: RequestOutcome): Finding {
  if (finding === null) throw new Error('details of an answer that was asked without them');
  return finding;
}

/** What the event loop writes without letting others wait for long. rafiki._detail_rows() asks for a quarter of it. */
const MOST_REPLY_BYTES = 16_000_000;
/** Of a detail without its classes; `, "name": 0.1234` has so many more than the name. */
const DETAIL_BYTES = 200;
const CLASS_BYTES = 10;

/** Refuses details of so many rows that their reply would be very long. One row is always answered. */
export function checkReplySize({ classes }: Pick<DeploymentRow, 'classes'>, rows: number): void {
  const rowBytes = classes.reduce((bytes, name) => bytes + name.length + CLASS_BYTES, DETAIL_BYTES);
  if (rows <= 1 || rows * rowBytes <= MOST_REPLY_BYTES) return;
  throw new RequestTooLarge('a prediction asks too much at once', {
    detail: `The details of ${rows} inputs with ${classes.length} classes have some ${Math.round((rows * rowBytes) / 1e6)} MB; ${MOST_REPLY_BYTES / 1e6} MB are the most.`,
    hint: 'Give the array in parts.',
  });
}
