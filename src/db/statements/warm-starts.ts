import type { RequestedTensor } from '../../domain/warm-start.ts';
import type { Queryable } from '../database.ts';
import type { Ownership } from './trials.ts';

/** A tensor of published weights that could initialise another. */
export interface PublishedTensor extends RequestedTensor {
  paramsId: number;
  hash: Buffer;
}

/** Published weights of a trial, for the warm start of others. */
export interface Published {
  trialId: number;
  family: string;
  score: number;
  paramsId: number;
}

/** The weights that the other trials of its study have published. */
export function selectPublished(on: Queryable, trialId: number): Promise<Published[]> {
  const sql = `
    select o.id as "trialId", o.family, o.published_score as score, o.published_id as "paramsId"
    from rafiki.trial t join rafiki.trial o on o.study_id = t.study_id and o.id <> t.id
    where t.id = $1 and o.published_id is not null`;
  return on.query(sql, [trialId]);
}

/** The weights of the model that its study starts from, those of its own family first. Their trials may be gone, and had other rows. */
export function selectStartWeights(on: Queryable, trialId: number): Promise<number[]> {
  const sql = `
    select m.weights_id as id
    from rafiki.trial t join rafiki.study s on s.id = t.study_id join rafiki.model_member m on m.version_id = s.start_version
    where t.id = $1 and m.weights_id is not null order by m.family <> t.family, m.rank`;
  return on.query<{ id: number }>(sql, [trialId]).then((rows) => rows.map(({ id }) => id));
}

const insertSources = `
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

/** Stores the sources of a trial's warm start, the preferred one first, then those of a model: once, for all of its attempts. */
export async function setWarmStartSources(
  on: Queryable,
  { trialId, attempt, processId }: Ownership,
  sources: readonly Published[],
  ofModel: readonly number[] = [],
): Promise<void> {
  const paramsIds = [...sources.map(({ paramsId }) => paramsId), ...ofModel];
  const parentIds = [...sources.map(({ trialId: parentId }) => parentId), ...ofModel.map(() => null)];
  await on.query(insertSources, [trialId, attempt, processId, paramsIds, parentIds]);
}

/** Tensors of a trial's sources, in the order of preference: those of its study that were trained on the same rows, and those of a model. */
export function selectPublishedTensors(on: Queryable, trialId: number, basis: Buffer): Promise<PublishedTensor[]> {
  const sql = `
    select p.params_id as "paramsId", p.name, p.shape, p.role, p.hash
    from rafiki.trial_start s
    join rafiki.params w on w.id = s.params_id
    join rafiki.params_tensor p on p.params_id = s.params_id
    where s.trial_id = $1 and (w.basis = $2 or s.parent_id is null) and p.role is not null
    order by s.rank, p.name`;
  return on.query(sql, [trialId, basis]);
}

/** Publishes weights in place of earlier ones; false if the process no longer owns the trial. */
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

/** Stores the origin of a trial's initial weights: the set that contributed most, and the share contributed by all. */
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
