import type { KnobOverride } from '../../domain/hyper-space.ts';
import type { Metric } from '../../domain/metrics.ts';
import type { StudyState } from '../../domain/state.ts';
import { isTask, type Task, tasks } from '../../domain/task.ts';
import { NotSupported, RowLocked } from '../../errors/errors.ts';
import type { Queryable } from '../database.ts';

/** A study as the coordinator sees it. */
export interface Study {
  id: number;
  /** Its oid. */
  owner: number;
  task: Task;
  model: string;
  families: string[] | null;
  knobs: Record<string, KnobOverride>;
  advisor: string;
  collaborative: boolean;
  /** Chance of a random start in a collaborative study, at first and at last. */
  alphaFirst: number;
  alphaLast: number;
  /** Whether it may end once more trials are not worth it. */
  terminator: boolean;
  maxTrials: number;
  maxTimeMs: number;
  targetScore: number | null;
  seed: number;
  deploy: boolean;
  state: StudyState;
  cancelRequested: boolean;
  /** Whether it is to end now with what it has. */
  finishRequested: boolean;
  /** How long it has been paused this time; null where it is not. */
  pausedMs: number | null;
  metric: Metric;
  /** Whether its model may take the place of one for another task. */
  replace: boolean;
  /** Since its first trial began, by the database's clock: to wait for a worker, or paused, takes none of its time. */
  elapsedMs: number;
  /** How long no trial has begun since it was started. */
  waitedMs: number;
  incumbentId: number | null;
  incumbentScore: number | null;
  /** On how many of the validation rows the deployed version was trained; null where that is not known. */
  incumbentTrained: number | null;
  /** Why no further trial is begun although no limit is reached. */
  closed: string | null;
  /** Rows that scores are the share of; null before the first trial has ended, and where scores are something else. */
  validationRows: number | null;
  /** Set once the model is written: what is left is to deploy it. */
  version: number | null;
}

const openStudies = `
  select s.id, s.owner::oid::int8 as owner, s.task, s.model, s.families, s.knobs, s.advisor, s.collaborative,
    s.alpha_first as "alphaFirst", s.alpha_last as "alphaLast", s.terminator, s.closed,
    (select nullif(min(octet_length(v.labels)) / 2, 0) from rafiki.validation v
     where v.study_id = s.id and s.metric = 'accuracy') as "validationRows",
    s.max_trials as "maxTrials", (extract(epoch from s.max_time) * 1000)::float8 as "maxTimeMs",
    s.target_score as "targetScore", s.seed, s.deploy, s.state, s.cancel_requested as "cancelRequested",
    s.finish_requested as "finishRequested", s.metric, s.replace,
    (extract(epoch from now() - s.paused_at) * 1000)::float8 as "pausedMs",
    coalesce((extract(epoch from now_.at - began.at) * 1000)::float8, 0) as "elapsedMs",
    case when began.at is null then coalesce((extract(epoch from now_.at - s.started_at) * 1000)::float8, 0) else 0 end as "waitedMs",
    s.incumbent_id as "incumbentId", s.incumbent_score as "incumbentScore",
    s.incumbent_trained as "incumbentTrained", s.version
  from rafiki.study s
  cross join lateral (select min(t.started_at) as at from rafiki.trial t where t.study_id = s.id) began
  cross join lateral (select coalesce(s.paused_at, now()) - s.paused_for as at) now_ -- if it had never been paused
  where s.state in ('queued', 'running') and s.task = any($1)
  order by s.id`;

/** Open studies of the tasks that this version knows; a newer coordinator takes the others. */
export function selectOpenStudies(on: Queryable): Promise<Study[]> {
  return on.query(openStudies, [tasks]);
}

export function knownTask(name: string): Task {
  if (isTask(name)) return name;
  throw new NotSupported(`task "${name}" is not known to this version`, { hint: 'Run the newest version everywhere.' });
}

/** Locks a study until the transaction ends; throws {@link RowLocked} where somebody is changing it, as its owner may who cancels it. */
export async function holdStudy(on: Queryable, studyId: number): Promise<void> {
  const rows = await on.query('select id from rafiki.study where id = $1 for no key update skip locked', [studyId]);
  if (rows.length === 0) throw new RowLocked(`study ${studyId} is being changed by somebody else`);
}

/** The functions that read the sources of studies go when these have ended; how many went. */
export async function dropReaders(on: Queryable): Promise<number> {
  const [row] = await on.query<{ dropped: number }>('select rafiki._drop_readers() as dropped');
  return row?.dropped ?? 0;
}

/** Takes what belonged or was granted to roles that were dropped from them; returns how much that was. */
export async function forgetRoles(on: Queryable): Promise<number> {
  const [row] = await on.query<{ forgotten: number }>('select rafiki._forget_roles() as forgotten');
  return row?.forgotten ?? 0;
}

/** The version that answers for the study's model when it begins, or is about to; null where none does, or where it is another role's. */
export async function setIncumbent(on: Queryable, studyId: number): Promise<void> {
  const sql = `
    update rafiki.study s set incumbent_id = (
      select d.version_id from rafiki.deployment d join rafiki.model m on m.id = d.model_id
      where m.name = s.model and m.task = s.task and d.state in ('loading', 'ready') and pg_has_role(s.owner::oid, m.owner::oid, 'usage')
      order by d.state limit 1)
    where s.id = $1`;
  await on.query(sql, [studyId]);
}

/** The first measurement counts: several workers may hold the data at the same time. */
export async function setIncumbentScore(
  on: Queryable,
  studyId: number,
  { score, trained }: { score: number; trained: number | null },
): Promise<void> {
  const sql = `
    update rafiki.study set incumbent_score = $2, incumbent_trained = $3 where id = $1 and incumbent_score is null`;
  await on.query(sql, [studyId, score, trained]);
}

export async function setOutcome(
  on: Queryable,
  studyId: number,
  outcome: { version: number; notice: string | null },
): Promise<void> {
  const sql = `update rafiki.study set version = $2, notice = nullif(concat_ws(' ', closed, $3::text), '') where id = $1`;
  await on.query(sql, [studyId, outcome.version, outcome.notice]);
}

export async function setClosed(on: Queryable, studyId: number, why: string): Promise<void> {
  await on.query('update rafiki.study set closed = $2 where id = $1', [studyId, why]);
}

/** Says in an open study that no worker can read its source, or that one can again. */
export async function setReaderNotice(on: Queryable, studyId: number, isRefused: boolean): Promise<void> {
  const sql = `
    update rafiki.study set notice = case when $2 then $3::text end
    where id = $1 and state in ('queued', 'running') and (notice is not distinct from $3) <> $2`;
  await on.query(sql, [studyId, isRefused, 'no login as rafiki_reader']);
}

export async function addNotice(on: Queryable, studyId: number, notice: string): Promise<void> {
  await on.query(`update rafiki.study set notice = concat_ws(' ', notice, $2::text) where id = $1`, [studyId, notice]);
}

/** Rows of the source that were left out, and what was wrong with the first of them. */
export async function setSkipped(
  on: Queryable,
  studyId: number,
  { rows, example }: { rows: number; example: string | null },
): Promise<void> {
  const sql = 'update rafiki.study set skipped_rows = $2, skipped_example = $3 where id = $1';
  await on.query(sql, [studyId, rows, example]);
}

/** What a finished study leaves to be collected: checkpoints, and the weights of trials that are no member of a model. */
export async function dropStudyParams(on: Queryable, studyId: number): Promise<void> {
  await on.query('delete from rafiki.trial_variant using rafiki.trial t where t.id = trial_id and t.study_id = $1', [
    studyId,
  ]);
  const sql = `
    update rafiki.trial t set checkpoint_id = null, published_id = null,
      params_id = case when exists (select from rafiki.model_member m where m.params_id = t.params_id) then params_id end
    where t.study_id = $1 and (t.checkpoint_id, t.params_id, t.published_id) is distinct from (null, null, null)`;
  await on.query(sql, [studyId]);
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

export async function selectValidation(on: Queryable, studyId: number, hash: Buffer): Promise<ValidationRows> {
  const sql = 'select hash, classes, labels from rafiki.validation where study_id = $1 and hash = $2';
  const [row] = await on.query<ValidationRows>(sql, [studyId, hash]);
  return row!; // written in the transaction that finished the trial which names it
}
