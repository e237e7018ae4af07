import type { DeploymentRow } from '../../db/statements/serving/deployments.ts';
import type { EnsembleRule } from '../../domain/ensembles/rule.ts';
import { type Finding, rounded } from '../../domain/kinds/kind.ts';
import { RequestTooLarge } from '../../errors/errors.ts';
import type { RequestOutcome } from '../queue/queued-request.ts';
import type { ServedModel } from '../served-model.ts';

/** What `rafiki_predict_detail` shows. */
export type Detail = Finding & {
  versions: number[];
  rule: EnsembleRule;
  /** With their weights, if these count. */
  members: { family: string; score?: number; weight?: number }[];
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
    rule: row.rule,
    members: row.members.slice(0, outcome.members).map(({ family, score, weight }) => ({
      // of an imported model nobody has measured one
      ...(row.foreignOwner === null ? { family, score: rounded(score) } : { family }),
      ...(row.rule === 'weighted' ? { weight: rounded(weight) } : {}),
    })),
    batch: outcome.batch,
    ms: rounded(ms),
    overdue,
  };
}

function findingOf({ finding }: RequestOutcome): Finding {
  if (finding === null) throw new Error('details of an answer that was asked without them');
  return finding;
}

/** Serialising more blocks the event loop for too long. rafiki._detail_rows() requests at most a quarter of it. */
const MAX_REPLY_BYTES = 16_000_000;
/** Bytes of a detail without its classes; `, "name": 0.1234` adds CLASS_BYTES to the name. */
export const DETAIL_BYTES = 200;
export const CLASS_BYTES = 10;

/** Throws RequestTooLarge if the details of `rows` would be too long. One row is always allowed. */
export function checkReplySize({ classes }: Pick<DeploymentRow, 'classes'>, rows: number): void {
  const rowBytes = classes.reduce((bytes, name) => bytes + name.length + CLASS_BYTES, DETAIL_BYTES);
  if (rows <= 1 || rows * rowBytes <= MAX_REPLY_BYTES) return;
  throw new RequestTooLarge('a prediction request is too large', {
    detail: `The details of ${rows} inputs with ${classes.length} classes take about ${Math.round((rows * rowBytes) / 1e6)} MB; the maximum is ${MAX_REPLY_BYTES / 1e6} MB.`,
    hint: 'Split the array.',
  });
}
