import type { EnsembleRule, MemberWeight } from '../../domain/ensembles/rule.ts';
import type { Metric } from '../../domain/metrics.ts';
import type { Precision } from '../../domain/precision.ts';
import type { DeploymentState } from '../../domain/state.ts';
import type { Task } from '../../domain/task.ts';
import { RowLocked } from '../../errors/errors.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Queryable } from '../database.ts';

export interface ModelRow {
  id: number;
  /** Whether the owner of the study has the rights of the role that owns the model. */
  own: boolean;
  task: string;
}

/**
 * The model of that name, created for `owner` (an oid) if it does not exist; locked until the transaction ends. Throws
 * {@link RowLocked} if another session is changing it.
 */
export async function lockModel(
  on: Queryable,
  { name, owner, task }: { name: string; owner: number; task: Task },
): Promise<ModelRow> {
  const insert = `
    insert into rafiki.model (name, owner, task)
    select $1, $2::oid::regrole, $3 where not exists (select from rafiki.model where name = $1) -- otherwise it waits for a session that drops the model
    on conflict (name) do nothing`;
  await on.query(insert, [name, owner, task]);
  const select = `
    select id, pg_has_role($2::oid, owner::oid, 'usage') as own, task from rafiki.model where name = $1 for no key update skip locked`;
  const [row] = await on.query<ModelRow>(select, [name, owner]);
  if (row !== undefined) return row;
  throw new RowLocked(`model "${name}" is being changed by another session`);
}

/** Drops old versions, as the quota kept_versions says; returns their number. */
export async function dropOldVersions(on: Queryable): Promise<number> {
  const [row] = await on.query<{ dropped: number }>('select rafiki._drop_old_versions() as dropped');
  return row?.dropped ?? 0;
}

export interface NewVersion {
  modelId: number;
  studyId: number;
  rule: EnsembleRule;
  score: number;
  /** Of each subset of members, indexed by its bits; null if members do not vote. */
  accuracies: readonly number[] | null;
  classes: readonly string[];
  metric: Metric;
  /** Number of rows that the score was measured on; null if members cannot decide together, as detectors. */
  scoredRows: number | null;
}

export async function insertVersion(
  on: Queryable,
  { modelId, studyId, rule, score, accuracies, classes, metric, scoredRows }: NewVersion,
): Promise<{ id: number; version: number }> {
  const sql = `
    insert into rafiki.model_version (model_id, version, study_id, score, accuracies, classes, metric, judged_rows, rule, features, kinds)
    select $1, rafiki._next_version($1), s.id, $3, $4, $5, $6, $7, $8, s.features, s.kinds
    from rafiki.study s where s.id = $2
    returning id, version`;
  const [row] = await on.query<{ id: number; version: number }>(sql, [
    ...[modelId, studyId, score, accuracies, classes, metric, scoredRows, rule],
  ]);
  return row!;
}

export interface NewMember {
  rank: number;
  trialId: number;
  family: string;
  precision: Precision;
  score: number;
  paramsId: number;
  /** Weights trained again on all rows, which answer instead. */
  refitParamsId: number | null;
  weight: number;
  temperature: number;
  /** The rank of the member that it is a variant of. */
  variantOf: number | null;
}

export async function insertMember(on: Queryable, versionId: number, member: NewMember): Promise<void> {
  const sql = `
    insert into rafiki.model_member (version_id, rank, trial_id, family, precision, score, params_id, refit_params_id, weight, temperature, variant_of, weights_id)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
      (select t.published_id from rafiki.trial t where t.id = $3 and $5 = 'float32'))`;
  const { rank, trialId, family, precision, score, paramsId, refitParamsId, weight, temperature, variantOf } = member;
  const values = [rank, trialId, family, precision, score, paramsId, refitParamsId, weight, temperature, variantOf];
  await on.query(sql, [versionId, ...values]);
}

export function selectLoading(on: Queryable, modelId: number): Promise<{ id: number }[]> {
  return on.query(`select id from rafiki.deployment where model_id = $1 and state = 'loading'`, [modelId]);
}

/** The version that is deployed for a model, or loading; null if there is none. */
export async function selectDeployedVersion(on: Queryable, modelId: number): Promise<number | null> {
  const sql = `
    select version_id as id from rafiki.deployment where model_id = $1 and state in ('loading', 'ready') order by state limit 1`;
  const [row] = await on.query<{ id: number }>(sql, [modelId]);
  return row?.id ?? null;
}

/** The columns that a version reads and another one does not; none for models of one input. */
export async function selectFurtherColumns(
  on: Queryable,
  { versionId, thanId }: { versionId: number; thanId: number },
): Promise<string[]> {
  const sql = `
    select f.name::text as name from rafiki.model_version v cross join unnest(v.features) with ordinality f (name, place)
    where v.id = $1 and v.kinds is not null and f.name <> all (select unnest(o.features) from rafiki.model_version o where o.id = $2)
    order by f.place`;
  return (await on.query<{ name: string }>(sql, [versionId, thanId])).map(({ name }) => name);
}

export function selectModelDeployments(
  on: Queryable,
  modelId: number,
): Promise<{ id: number; state: DeploymentState }[]> {
  return on.query(`select id, state from rafiki.deployment where model_id = $1 and state in ('loading', 'ready')`, [
    modelId,
  ]);
}

export async function setTask(on: Queryable, modelId: number, task: Task): Promise<void> {
  await on.query('update rafiki.model set task = $2 where id = $1', [modelId, task]);
}

export async function insertDeployment(
  on: Queryable,
  { modelId, versionId }: { modelId: number; versionId: number },
): Promise<void> {
  await on.query('insert into rafiki.deployment (model_id, version_id) values ($1, $2)', [modelId, versionId]);
}

export interface StudyDeployment {
  state: DeploymentState;
  ageMs: number;
  error: ErrorReport | null;
}

/** The latest deployment of a study's version; undefined if it was not deployed. */
export async function selectStudyDeployment(on: Queryable, studyId: number): Promise<StudyDeployment | undefined> {
  const sql = `
    select d.state, (extract(epoch from now() - d.created_at) * 1000)::float8 as "ageMs", d.error
    from rafiki.deployment d join rafiki.model_version v on v.id = d.version_id
    where v.study_id = $1 order by d.id desc limit 1`;
  const [row] = await on.query<StudyDeployment>(sql, [studyId]);
  return row;
}

/** Hashes of the inputs that the version was trained on, ascending: see `trainedInputs`. Undefined if they were not stored. */
export async function selectTrained(on: Queryable, versionId: number): Promise<BigInt64Array | undefined> {
  const sql = `
    select r.trained::text[] as trained from rafiki.model_version v
    join rafiki.model_member b on b.version_id = v.id and b.rank = 0 join rafiki.trial t on t.id = b.trial_id
    join rafiki.validation r on r.study_id = v.study_id and r.hash = t.validation_hash where v.id = $1`;
  const [row] = await on.query<{ trained: string[] | null }>(sql, [versionId]);
  return row?.trained ? BigInt64Array.from(row.trained, BigInt) : undefined;
}

/** A member with its scored parameters, and the rule of its version. */
export interface ScoredMember extends MemberWeight {
  /** Of its parameters. */
  id: number;
  rule: EnsembleRule;
}

/** The members of a version in full precision, best first; none of an imported one, whose graphs run nowhere but in their own process. What is compared on validation rows was not trained on them. */
export function selectMemberParams(on: Queryable, versionId: number): Promise<ScoredMember[]> {
  const sql = `
    select m.params_id as id, m.score, m.weight, m.temperature, v.rule
    from rafiki.model_member m join rafiki.model_version v on v.id = m.version_id
    where m.version_id = $1 and m.precision = $2 and v.imported_as is null order by m.rank`;
  return on.query(sql, [versionId, 'float32']);
}
