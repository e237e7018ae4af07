import { LEASE_MS } from '../../domain/leases.ts';
import type { TrainingReport } from '../../domain/training.ts';
import type { Queryable } from '../database.ts';
import type { Ownership } from './trials.ts';

const report = `
  with updated as (
    update rafiki.trial
    set epoch = $4, epochs = $5, score = greatest(score, $8), seconds = $10, lease_until = now() + $11 * interval '1 ms', overdue_looks = 0
    where id = $1 and attempt = $2 and process_id = $3 and state = 'running'
    returning id, study_id, family, attempt, stop_requested, rung
  ), written as (
    insert into rafiki.report (trial_id, epoch, attempt, step, loss, score, metrics, seconds)
    select id, $4, attempt, $6, $7, $8, $9, $10 from updated
    on conflict (trial_id, epoch) do update set attempt = excluded.attempt, step = excluded.step, loss = excluded.loss,
      score = excluded.score, metrics = excluded.metrics, seconds = excluded.seconds, created_at = excluded.created_at
  )
  select h.stop_requested as stop,
    h.rung is not null and (h.stop_requested or $4 >= $5) or s.collaborative and $8::float8 > coalesce(
      (select max(o.published_score) from rafiki.trial o where o.study_id = h.study_id and o.family = h.family)
      + case when h.stop_requested or $4 >= $5 then 0 else s.delta end, '-infinity') as publish
  from updated h join rafiki.study s on s.id = h.study_id`;

/** The study's decision on a report (paper, section 3): whether to stop, and whether to publish the weights. */
export interface ReportDecision {
  stop: boolean;
  publish: boolean;
}

/**
 * Writes a report, idempotently, and extends the lease; undefined if the process no longer owns the trial. Weights are published
 * if they exceed the family's best published score by δ, after the last epoch by any amount; in a rung after the last epoch, for the next rung.
 */
export async function insertReport(
  on: Queryable,
  owner: Ownership,
  of: TrainingReport,
): Promise<ReportDecision | undefined> {
  const { trialId, attempt, processId } = owner;
  const { epoch, epochs, step, loss, score, metrics, seconds } = of;
  const values = [
    trialId,
    attempt,
    processId,
    epoch,
    epochs,
    step,
    loss,
    score,
    JSON.stringify(metrics),
    seconds,
    LEASE_MS,
  ];
  const [row] = await on.query<ReportDecision>(report, values);
  return row;
}
