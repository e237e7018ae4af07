import type { EnsembleRule } from '../../domain/ensembles/rule.ts';
import type { KnobOverride, Knobs } from '../../domain/hyper-space.ts';
import type { Metric } from '../../domain/metrics.ts';
import type { StudyState } from '../../domain/state.ts';
import { isTask, type Task, tasks } from '../../domain/task.ts';
import type { KnownEncoder } from '../../domain/training.ts';
import { NotSupported, RowLocked } from '../../errors/errors.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Queryable } from '../database.ts';

/** A study with all that the coordinator decides by. */
export interface Study {
  id: number;
  /** Changes with each change of the row. */
  rowVersion: string;
  /** Its oid. */
  owner: number;
  task: Task;
  model: string;
  families: string[] | null;
  knobs: Record<string, KnobOverride>;
  advisor: string;
  collaborative: boolean;
  /** Probability of a random start in a collaborative study, at first and in the end. */
  alphaFirst: number;
  alphaLast: number;
  /** Whether it may end when more trials would hardly improve the score. */
  terminator: boolean;
  maxTrials: number;
  maxTimeMs: number;
  targetScore: number | null;
  /** Whether its models are trained again on all rows in the end. */
  refit: boolean;
  /** Time at the end that is reserved for that, as workers know it. */
  refitSeconds: number;
  /** Whether only workers with a GPU may take its trials. */
  gpu: boolean;
  /** Workers that train a trial together; null: idle ones of other machines join. */
  workersPerTrial: number | null;
  seed: number;
  deploy: boolean;
  state: StudyState;
  cancelRequested: boolean;
  /** Whether it is to end now with the trials so far. */
  finishRequested: boolean;
  /** Duration of the current pause; null if it is not paused. */
  pausedMs: number | null;
  metric: Metric;
  /** How the members of its model decide together; null: as validation prefers. */
  ensemble: EnsembleRule | null;
  /** Whether its model may replace one for another task. */
  replace: boolean;
  /** Since its first trial began, by the database's clock, without pauses. */
  elapsedMs: number;
  /** Time since it was started without any trial begun; 0 after that. */
  waitedMs: number;
  incumbentId: number | null;
  incumbentScore: number | null;
  /** Of the validation rows of that score. */
  incumbentHash: Buffer | null;
  /** Number of validation rows on which the deployed version was trained; null if unknown. */
  incumbentTrained: number | null;
  /** Why no further trial is proposed although no limit is reached; null if trials are. */
  closed: string | null;
  /** What earlier studies of its owner found out about families, the best first; `knobs` only from studies of the same source. */
  experience: { family: string; knobs: Knobs | null }[];
  /** What it does with its time, as its owner sees it. */
  plan: string | null;
  /** The pretrained encoders for its inputs, in the order in which they are tried. */
  encoders: KnownEncoder[];
  /** Whether its trials may start from the weights of a model. */
  startsFromModel: boolean;
  /** Number of rows of which scores are a share; null before the first trial has ended, and if scores are not such shares. */
  validationRows: number | null;
  /** Set when the model is written; it then remains to be deployed. */
  version: number | null;
}

const openStudies = `
  select s.id, s.xmin::text as "rowVersion", s.owner::oid::int8 as owner, s.task, s.model, s.families, s.knobs, s.advisor, s.collaborative,
    s.alpha_first as "alphaFirst", s.alpha_last as "alphaLast", s.terminator, s.closed, s.plan,
    (select coalesce(jsonb_agg(jsonb_build_object('name', e.name, 'trainable', e.obstacle is null) order by i.place), '[]')
     from unnest(coalesce(s.encoder_ids, case when s.state = 'queued' then rafiki._encoders_for(s.owner, s.task) end)) with ordinality i (id, place)
     join rafiki.encoder e on e.id = i.id) as encoders,
    s.start_version is not null as "startsFromModel", coalesce(s.experience, '[]') as experience,
    (select nullif(min(octet_length(v.labels)) / 2, 0) from rafiki.validation v
     where v.study_id = s.id and s.metric = 'accuracy') as "validationRows",
    s.max_trials as "maxTrials", (extract(epoch from s.max_time) * 1000)::float8 as "maxTimeMs",
    s.refit, s.refit_seconds as "refitSeconds", s.gpu, s.workers_per_trial as "workersPerTrial", s.target_score as "targetScore", s.seed, s.deploy, s.state, s.cancel_requested as "cancelRequested",
    s.finish_requested as "finishRequested", s.metric, s.ensemble, s.replace,
    (extract(epoch from now() - s.paused_at) * 1000)::float8 as "pausedMs",
    coalesce((extract(epoch from rafiki._study_time(began.at, s.paused_at, s.paused_for)) * 1000)::float8, 0) as "elapsedMs",
    case when began.at is null then coalesce((extract(epoch from rafiki._study_time(s.started_at, s.paused_at, s.paused_for)) * 1000)::float8, 0) else 0 end as "waitedMs",
    s.incumbent_id as "incumbentId", s.incumbent_score as "incumbentScore",
    s.incumbent_hash as "incumbentHash", s.incumbent_trained as "incumbentTrained", s.version
  from rafiki.study s
  cross join lateral (select min(t.started_at) as at from rafiki.trial t where t.study_id = s.id) began
  where s.state in ('queued', 'running') and s.task = any($1)
  order by s.id`;

/** Open studies for the tasks that this version supports; a newer coordinator handles the others. */
export function selectOpenStudies(on: Queryable): Promise<Study[]> {
  return on.query(openStudies, [tasks]);
}

export function knownTask(name: string): Task {
  if (isTask(name)) return name;
  throw new NotSupported(`task "${name}" is not supported by this version`, {
    hint: 'Run the newest version everywhere.',
  });
}

/**
 * Locks a study until the transaction ends, as it was read; throws {@link RowLocked} if another session is changing it, or has since, such as its
 * owner's to cancel it.
 */
export async function lockStudy(on: Queryable, { id, rowVersion }: Pick<Study, 'id' | 'rowVersion'>): Promise<void> {
  const sql = 'select id from rafiki.study where id = $1 and xmin::text = $2 for no key update skip locked';
  if ((await on.query(sql, [id, rowVersion])).length > 0) return;
  throw new RowLocked(`study ${id} is being changed by another session`);
}

/**
 * Fails open studies of a role beyond its quota: sessions that do not see each other's rows yet may have queued too many. Only those without
 * a trial that has begun: nothing is lost if an administrator lowers the quota. Returns the number.
 */
export async function endExcessStudies(on: Queryable, error: ErrorReport): Promise<number> {
  const sql = `
    update rafiki.study s set state = 'failed', error = $1, ended_at = now()
    from (select e.id from rafiki.study e join (
            select o.id, began.at, row_number() over (partition by o.owner order by began.at is null, o.id) as place
            from rafiki.study o cross join lateral (select min(t.started_at) as at from rafiki.trial t where t.study_id = o.id) began
            where o.state in ('queued', 'running')) open on open.id = e.id
          where open.at is null and open.place > (select q.value from rafiki.quota q where q.name = 'open_studies')
            and e.state in ('queued', 'running') for no key update of e skip locked) excess
    where s.id = excess.id returning s.id`;
  return (await on.query(sql, [JSON.stringify(error)])).length;
}

/** Removes dropped roles as owners and from grants; returns the number of changes. */
export async function removeDroppedRoles(on: Queryable): Promise<number> {
  const [row] = await on.query<{ forgotten: number }>('select rafiki._forget_roles() as forgotten');
  return row?.forgotten ?? 0;
}

/** Sets the version that is deployed for the study's model, or loading; null if there is none, or if it belongs to another role. */
export async function setIncumbent(on: Queryable, studyId: number): Promise<void> {
  const sql = `
    update rafiki.study s set incumbent_id = (
      select d.version_id from rafiki.deployment d join rafiki.model m on m.id = d.model_id
      where m.name = s.model and m.task = s.task and d.state in ('loading', 'ready') and pg_has_role(s.owner::oid, m.owner::oid, 'usage')
      order by d.state limit 1)
    where s.id = $1`;
  await on.query(sql, [studyId]);
}

/** Finds the pretrained encoders that all its trials choose from. */
export async function setEncoders(on: Queryable, studyId: number): Promise<void> {
  await on.query('select rafiki._choose_encoders($1)', [studyId]);
}

/** The first measurement is stored: several workers may score the deployed version. */
export async function setIncumbentScore(
  on: Queryable,
  studyId: number,
  { score, trained, hash }: { score: number; trained: number | null; hash: Uint8Array },
): Promise<void> {
  const sql = `
    update rafiki.study set incumbent_score = $2, incumbent_trained = $3, incumbent_hash = $4
    where id = $1 and incumbent_score is null`;
  await on.query(sql, [studyId, score, trained, Buffer.from(hash)]);
}

export async function setOutcome(
  on: Queryable,
  studyId: number,
  outcome: { version: number; notice: string | null },
): Promise<void> {
  const sql = `update rafiki.study set version = $2, notice = nullif(concat_ws(' ', closed, warning, $3::text), '') where id = $1`;
  await on.query(sql, [studyId, outcome.version, outcome.notice]);
}

/** What a study does with its time, and what it reserves of it. */
export async function setPlan(
  on: Queryable,
  studyId: number,
  { plan, refitSeconds }: Pick<Study, 'plan' | 'refitSeconds'>,
): Promise<void> {
  await on.query('update rafiki.study set plan = $2, refit_seconds = $3 where id = $1', [studyId, plan, refitSeconds]);
}

export async function setClosed(on: Queryable, studyId: number, why: string): Promise<void> {
  await on.query('update rafiki.study set closed = $2 where id = $1', [studyId, why]);
}

/** Sets or removes an open study's notice that no worker can read its source. */
export async function setReaderNotice(on: Queryable, studyId: number, isRefused: boolean): Promise<void> {
  const sql = `
    update rafiki.study set notice = case when $2 then $3::text end
    where id = $1 and state in ('queued', 'running') and (notice is not distinct from $3) <> $2`;
  await on.query(sql, [studyId, isRefused, 'no login as rafiki_reader']);
}

export async function addNotice(on: Queryable, studyId: number, notice: string): Promise<void> {
  await on.query(`update rafiki.study set notice = concat_ws(' ', notice, $2::text) where id = $1`, [studyId, notice]);
}

/** Rows of the source that were skipped, and the error of the first of them. */
export async function setSkipped(
  on: Queryable,
  studyId: number,
  { rows, example }: { rows: number; example: string | null },
): Promise<void> {
  const sql = 'update rafiki.study set skipped_rows = $2, skipped_example = $3 where id = $1';
  await on.query(sql, [studyId, rows, example]);
}

export interface ValidationRows {
  hash: Buffer;
  classes: string[];
  labels: Buffer;
}

export async function insertValidation(
  on: Queryable,
  studyId: number,
  { hash, classes, labels, trained }: ValidationRows & { trained: BigInt64Array },
): Promise<void> {
  const sql = `
    insert into rafiki.validation (study_id, hash, classes, labels, trained) values ($1, $2, $3, $4, $5)
    on conflict do nothing`;
  await on.query(sql, [studyId, hash, classes, labels, [...trained]]);
}

/** Stores the inputs of all rows, on which refits are trained. */
export async function setRefitTrained(
  on: Queryable,
  studyId: number,
  { hash, trained }: { hash: Buffer; trained: BigInt64Array },
): Promise<void> {
  const sql = 'update rafiki.validation set refit_trained = $3 where study_id = $1 and hash = $2';
  await on.query(sql, [studyId, hash, [...trained]]);
}

export async function selectValidation(on: Queryable, studyId: number, hash: Buffer): Promise<ValidationRows> {
  const sql = 'select hash, classes, labels from rafiki.validation where study_id = $1 and hash = $2';
  const [row] = await on.query<ValidationRows>(sql, [studyId, hash]);
  return row!; // inserted in the transaction that ended the trial
}
