import type { Dtype } from '../../domain/tensor.ts';
import type { Queryable } from '../database.ts';

export type ParamsKind = 'checkpoint' | 'model' | 'weights' | 'round';

/** A tensor of a parameter set: its shape, and the hash of its bytes. */
export interface TensorEntry {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** Of published weights: only a tensor of the same shape and role can replace it. */
  role: string | null;
  hash: Buffer;
}

export interface NewParams {
  kind: ParamsKind;
  meta: Buffer;
  /** Of published weights: hash of the rows trained and validated on. */
  basis: Buffer | null;
  /** The encoder that a model's inputs go through. */
  standsOn: number | null;
}

export async function insertParams(on: Queryable, { kind, meta, basis, standsOn }: NewParams): Promise<number> {
  const sql = 'insert into rafiki.params (kind, meta, basis, stands_on) values ($1, $2, $3, $4) returning id';
  const [row] = await on.query<{ id: number }>(sql, [kind, meta, basis, standsOn]);
  return row!.id;
}

export async function insertTensors(on: Queryable, paramsId: number, places: readonly TensorEntry[]): Promise<void> {
  const sql = `
    insert into rafiki.params_tensor (params_id, name, dtype, shape, role, hash)
    select $1, t.name, t.dtype, array(select jsonb_array_elements_text(t.shape)::int), t.role, decode(t.hash, 'hex')
    from jsonb_to_recordset($2::jsonb) as t (name text, dtype text, shape jsonb, role text, hash text)`;
  await on.query(sql, [
    paramsId,
    JSON.stringify(places.map((place) => ({ ...place, hash: place.hash.toString('hex') }))),
  ]);
}

export async function selectMeta(on: Queryable, paramsId: number): Promise<Buffer | undefined> {
  const [row] = await on.query<{ meta: Buffer }>('select meta from rafiki.params where id = $1', [paramsId]);
  return row?.meta;
}

/** Sets deleted in one statement; each may have a hundred tensors. */
const ORPHANS = 256;

/**
 * Deletes some of the parameter sets without a reference from a trial of an open study or from a model. New ones are referenced soon, hence
 * the grace period; published weights immediately, so theirs is shorter. Returns the number, which is 0 if none is left.
 */
export async function deleteOrphanParams(on: Queryable, graceMs: number, publishedGraceMs: number): Promise<number> {
  const sql = `
    with orphan as (
      select p.id from rafiki.params p
      where p.created_at < now() - case when p.kind in ('weights', 'round') then $2::float8 else $1 end * interval '1 ms'
        and not exists (select from rafiki.trial t where t.checkpoint_id = p.id)
        and not exists (
          select from rafiki.trial t join rafiki.study s on s.id = t.study_id
          where t.params_id = p.id and s.state in ('queued', 'running'))
        and not exists (select from rafiki.trial t where t.published_id = p.id)
        and not exists (
          select from rafiki.trial_start s join rafiki.trial t on t.id = s.trial_id join rafiki.study y on y.id = t.study_id
          where s.params_id = p.id and (t.ended_at is null or y.refit and y.state = 'running'))
        and not exists (select from rafiki.trial_variant t where t.params_id = p.id)
        and not exists (select from rafiki.trial_round r where r.params_id = p.id)
        and not exists (select from rafiki.trial_change c where c.params_id = p.id)
        and not exists (select from rafiki.encoder e where e.params_id = p.id)
        and not exists (select from rafiki.params m where m.stands_on = p.id)
        and not exists (select from rafiki.model_member m where m.params_id = p.id)
        and not exists (select from rafiki.model_member m where m.refit_params_id = p.id)
        and not exists (select from rafiki.model_member m where m.weights_id = p.id)
      limit ${ORPHANS} for update of p skip locked
    )
    delete from rafiki.params p using orphan o where p.id = o.id
    returning p.id`;
  return (await on.query(sql, [graceMs, publishedGraceMs])).length;
}

/** Removes an ended study's references to parameters, so that they are collected: checkpoints, rounds, and weights that are not in a model; and its trials' answers. */
export async function dropStudyParams(on: Queryable, studyId: number): Promise<void> {
  await on.query('delete from rafiki.trial_variant using rafiki.trial t where t.id = trial_id and t.study_id = $1', [
    studyId,
  ]);
  const sql = `
    update rafiki.trial t set checkpoint_id = null, published_id = null, predictions = null, kept_answers = null,
      params_id = case when exists (select from rafiki.model_member m where t.params_id in (m.params_id, m.refit_params_id)) then params_id end
    where t.study_id = $1 and (t.checkpoint_id, t.params_id, t.published_id, t.predictions, t.kept_answers) is distinct from (null, null, null, null, null)`;
  await on.query(sql, [studyId]);
  await on.query('delete from rafiki.trial_round r using rafiki.trial t where t.id = r.trial_id and t.study_id = $1', [
    studyId,
  ]);
}
