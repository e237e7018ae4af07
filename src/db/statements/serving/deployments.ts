import { MAX_CLASS_BYTES, MAX_CLASSES } from '../../../domain/class-limits.ts';
import type { EnsembleRule, MemberWeight } from '../../../domain/ensembles/rule.ts';
import type { Precision } from '../../../domain/precision.ts';
import type { DeploymentState } from '../../../domain/state.ts';
import { type Task, tasks } from '../../../domain/task.ts';
import { DataTooLarge, InvalidState, RowLocked } from '../../../errors/errors.ts';
import type { ErrorReport } from '../../../errors/rafiki-error.ts';
import type { Queryable } from '../../database.ts';

/** A deployment that a server answers with, or is to load, without its classes. */
export interface DeploymentHead {
  id: number;
  state: Extract<DeploymentState, 'loading' | 'ready'>;
  modelId: number;
  model: string;
  task: Task;
  /** Access key: its holder may use the model. */
  key: string;
  /** The model's own latency budget. */
  budgetMs: number | null;
  versionId: number;
  version: number;
  /** Of an imported version, whose graphs are foreign: the role that owns the model. */
  foreignOwner: number | null;
  /** The columns that it reads, if several are one input; otherwise null. */
  columns: string[] | null;
  /** How its members decide together. */
  rule: EnsembleRule;
  /** Of the whole ensemble, on validation rows. */
  score: number;
  /** Accuracy of each subset of members, indexed by its bits; null if no votes were counted. */
  accuracies: number[] | null;
  /** First those in full precision, the most accurate first, then the faster variants of some of them. */
  members: Member[];
}

/** A deployment without its weights. */
export interface DeploymentRow extends DeploymentHead {
  classes: string[];
}

export interface Member extends MemberWeight {
  family: string;
  precision: Precision;
  paramsId: number;
  /** Of the pretrained encoder that it stands on, if any. */
  encoderId: number | null;
  /** The rank of the member that it is a variant of; null if none, and in versions of before. */
  variantOf: number | null;
}

/** Deployments for the tasks that this version supports; a newer server serves the others. */
export function selectDeployments(on: Queryable): Promise<DeploymentHead[]> {
  const sql = `
    select d.id, d.state, m.id as "modelId", m.name as model, m.task, k.key::text as key,
      (extract(epoch from m.latency_budget) * 1000)::float8 as "budgetMs",
      v.id as "versionId", v.version, case when v.imported_as is not null then m.owner::oid::bigint end as "foreignOwner", case when v.kinds is not null then v.features::text[] end as columns, coalesce(v.score, 0) as score, v.accuracies,
      v.rule,
      (select coalesce(json_agg(
        json_build_object('family', b.family, 'precision', b.precision, 'score', coalesce(b.score, 0), 'paramsId', p.id, 'encoderId', p.stands_on,
          'weight', b.weight, 'temperature', b.temperature, 'variantOf', b.variant_of)
        order by b.rank), '[]')
       from rafiki.model_member b join rafiki.params p on p.id = b.answering_params_id where b.version_id = v.id) as members
    from rafiki.deployment d
      join rafiki.model m on m.id = d.model_id
      join rafiki.model_key k on k.model_id = m.id
      join rafiki.model_version v on v.id = d.version_id
    where d.state in ('loading', 'ready') and m.task = any($1)
    order by d.id`;
  return on.query<DeploymentHead>(sql, [tasks]);
}

/** Selected separately, because they may be a megabyte. Throws {@link DataTooLarge} for more, from versions without a limit. */
export async function selectClasses(on: Queryable, versionId: number): Promise<string[]> {
  const sql = `
    select case when cardinality(classes) <= $2 and octet_length(array_to_string(classes, '')) <= $3 then classes end as classes
    from rafiki.model_version where id = $1`;
  const limits = [MAX_CLASSES, MAX_CLASS_BYTES];
  const [row] = await on.query<{ classes: string[] | null }>(sql, [versionId, ...limits]);
  if (row === undefined) throw new InvalidState(`version ${versionId} does not exist any more`);
  if (row.classes !== null) return row.classes;
  throw new DataTooLarge('the classes of a model exceed the limits of a server', {
    detail: `The limits are ${MAX_CLASSES} classes and ${MAX_CLASS_BYTES} bytes of labels.`,
    hint: 'Train again with fewer classes, or shorter labels.',
  });
}

/**
 * The ready deployment of a model, locked until the transaction ends. Throws {@link RowLocked} if another session, such as its
 * owner's, is changing the model.
 */
export async function lockReadyDeployment(on: Queryable, modelId: number): Promise<number | undefined> {
  const models = await on.query('select id from rafiki.model where id = $1 for no key update skip locked', [modelId]);
  if (models.length === 0) throw new RowLocked(`model ${modelId} is being changed by another session`);
  const sql = `select id from rafiki.deployment where model_id = $1 and state = 'ready' for update`;
  const [row] = await on.query<{ id: number }>(sql, [modelId]);
  return row?.id;
}

/** Stores why a server could not load a deployment; the state remains, because another server may load it. */
export async function setLoadError(on: Queryable, deploymentId: number, error: ErrorReport): Promise<void> {
  await on.query(`update rafiki.deployment set error = $2 where id = $1 and state = 'loading'`, [
    deploymentId,
    JSON.stringify(error),
  ]);
}
