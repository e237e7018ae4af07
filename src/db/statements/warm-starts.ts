import type { WantedTensor } from '../../domain/warm-start.ts';
import type { Queryable } from '../database.ts';
import type { Ownership } from './trials.ts';

/** A stored tensor that could be the start of another. */
export interface OfferedTensor extends WantedTensor {
  paramsId: number;
  hash: Buffer;
}

/** Weights of an earlier trial that a new one may start from. */
export interface Published {
  trialId: number;
  family: string;
  score: number;
  paramsId: number;
}

/** What the other trials of its study have published. */
export function selectPublished(on: Queryable, trialId: number): Promise<Published[]> {
  const sql = `
    select o.id as "trialId", o.family, o.published_score as score, o.published_id as "paramsId"
    from rafiki.trial t join rafiki.trial o on o.study_id = t.study_id and o.id <> t.id
    where t.id = $1 and o.published_id is not null`;
  return on.query(sql, [trialId]);
}

const keep = `
  with open as (
    update rafiki.trial set start = 'chosen'
    where id = $1 and attempt = $2 and process_id = $3 and state = 'running' and start = 'open'
    returning id
  ), kept as (
    select id from rafiki.params where id = any($4) order by id for key share
  )
  insert into rafiki.trial_start (trial_id, rank, params_id, parent_id)
  select o.id, s.rank, k.id, s.parent_id
  from open o cross join unnest($4::bigint[], $5::bigint[]) with ordinality s (params_id, parent_id, rank)
  join kept k on k.id = s.params_id`;

/** Keeps what a trial may start from, most wanted first: once, for all of its attempts. */
export async function keepStart(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  starts: readonly Published[],
): Promise<void> {
  const paramsIds = starts.map(({ paramsId }) => paramsId);
  const parentIds = starts.map((start) => start.trialId);
  await on.query(keep, [trialId, attempt, processId, paramsIds, parentIds]);
}

/** Tensors of published weights in the order that a trial wants them, of those from the same rows as its own. */
export function selectOffered(on: Queryable, trialId: number, basis: Buffer): Promise<OfferedTensor[]> {
  const sql = `
    select p.params_id as "paramsId", p.name, p.shape, p.role, p.hash
    from rafiki.trial_start s
    join rafiki.params w on w.id = s.params_id
    join rafiki.params_tensor p on p.params_id = s.params_id
    where s.trial_id = $1 and w.basis = $2 and p.role is not null
    order by s.rank, p.name`;
  return on.query(sql, [trialId, basis]);
}

/** Names the weights that others may start from, in place of earlier ones; false when the trial is no longer ours. */
export async function setPublished(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  { paramsId, score }: { paramsId: number; score: number },
): Promise<boolean> {
  const sql = `
    update rafiki.trial set published_id = $4, published_score = $5
    where id = $1 and attempt = $2 and process_id = $3 and state = 'running' returning id`;
  return (await on.query(sql, [trialId, attempt, processId, paramsId, score])).length > 0;
}

/** Writes where a trial's first weights came from: which set gave most, and the share from any. */
export async function setOrigin(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  { paramsId, share }: { paramsId: number | null; share: number },
): Promise<void> {
  const sql = `
    update rafiki.trial t set warm_share = $5, parent_id = (
      select s.parent_id from rafiki.trial_start s where s.trial_id = t.id and s.params_id = $4)
    where t.id = $1 and t.attempt = $2 and t.process_id = $3 and t.state = 'running'`;
  await on.query(sql, [trialId, attempt, processId, paramsId, share]);
}
