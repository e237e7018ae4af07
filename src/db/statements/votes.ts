import type { Precision } from '../../domain/precision.ts';
import type { Queryable } from '../database.ts';

export interface TrialVotes {
  id: number;
  family: string;
  precision: Precision;
  score: number;
  paramsId: number;
  predictions: Buffer;
  /** Null if it is not needed any more, and of trials of earlier versions. */
  keptAnswers: Buffer | null;
}

/** The trials with their predictions for the validation rows, best first. */
export function selectVotes(on: Queryable, trialIds: readonly number[]): Promise<TrialVotes[]> {
  const sql = `
    select id, family, 'float32' as precision, score, params_id as "paramsId", predictions, kept_answers as "keptAnswers"
    from rafiki.trial
    where id = any($1) order by score desc, id`;
  return on.query(sql, [trialIds]);
}

/** Parameters by precision of the completed refit of a trial; none if there is none. `score`: on rows that it was trained on; null if not stored. */
export function selectRefit(
  on: Queryable,
  trialId: number,
): Promise<{ precision: Precision; paramsId: number; score: number | null }[]> {
  const sql = `
    select 'float32' as precision, t.params_id as "paramsId", null::float8 as score from rafiki.trial t
    where t.refits = $1 and t.state = 'completed' and t.params_id is not null
    union all
    select v.precision, v.params_id, v.score from rafiki.trial t join rafiki.trial_variant v on v.trial_id = t.id
    where t.refits = $1 and t.state = 'completed'`;
  return on.query(sql, [trialId]);
}

/** The trials' variants with their predictions, best first. */
export function selectVariantVotes(on: Queryable, trialIds: readonly number[]): Promise<TrialVotes[]> {
  const sql = `
    select t.id, t.family, v.precision, v.score, v.params_id as "paramsId", v.predictions, v.kept_answers as "keptAnswers"
    from rafiki.trial_variant v join rafiki.trial t on t.id = v.trial_id
    where t.id = any($1) order by v.score desc, t.id`;
  return on.query(sql, [trialIds]);
}

export interface NewVariant {
  trialId: number;
  precision: Precision;
  score: number;
  paramsId: number;
  predictions: Buffer;
  keptAnswers: Buffer | null;
}

/** Writes nothing if the trial has one already. */
export async function insertVariant(on: Queryable, variant: NewVariant): Promise<void> {
  const sql = `
    insert into rafiki.trial_variant (trial_id, precision, score, params_id, predictions, kept_answers) values ($1, $2, $3, $4, $5, $6)
    on conflict do nothing`;
  const { trialId, precision, score, paramsId, predictions, keptAnswers } = variant;
  await on.query(sql, [trialId, precision, score, paramsId, predictions, keptAnswers]);
}

/** Drops the kept answers of all but the best `most` trials of each family of a study; those of rows that are locked remain. */
export async function dropKeptAnswers(on: Queryable, studyId: number, most: number): Promise<void> {
  const sql = `
    update rafiki.trial set kept_answers = null where id in (
      select t.id from rafiki.trial t join (
        select id, row_number() over (partition by family order by score desc, id) as place
        from rafiki.trial where study_id = $1 and kept_answers is not null) ranked on ranked.id = t.id
      where ranked.place > $2 for update of t skip locked)`;
  await on.query(sql, [studyId, most]);
}
