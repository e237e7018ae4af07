import type { EnsembleRule } from '../../domain/ensembles/rule.ts';
import type { Metric } from '../../domain/metrics.ts';
import type { Precision } from '../../domain/precision.ts';
import type { InputColumn } from '../../domain/table.ts';
import type { Task } from '../../domain/task.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Queryable } from '../database.ts';

/** An import that is to be checked. */
export interface ClaimedImport {
  id: number;
  attempt: number;
  /** An oid. */
  owner: number;
  model: string;
  task: Task;
  spec: Record<string, unknown>;
  bytes: number;
  deploy: boolean;
}

/**
 * Claims the oldest import of a role that has none in hand (`busy`: their oids). The leader alone does, so a claim needs no lease: of an
 * earlier leader none is at work any more, and its late results are refused by their attempt.
 */
export async function claimImport(on: Queryable, busy: readonly number[]): Promise<ClaimedImport | undefined> {
  const sql = `
    update rafiki.import i set state = 'checking', attempt = i.attempt + 1, started_at = coalesce(i.started_at, now())
    from (select f.id from rafiki.import f where f.state = 'queued' and f.owner::oid <> all ($1::oid[])
          order by f.id limit 1 for update skip locked) free
    where i.id = free.id
    returning i.id, i.attempt, i.owner::oid::bigint as owner, i.model, i.task, i.spec, i.bytes, i.deploy`;
  const [row] = await on.query<ClaimedImport>(sql, [busy]);
  return row;
}

/** Imports that an earlier leader was checking are queued again, up to `attempts` times; then they fail. */
export async function requeueImports(on: Queryable, attempts: number, error: ErrorReport): Promise<void> {
  const sql = `
    update rafiki.import i set
      state = case when i.attempt < $1 then 'queued' else 'failed' end,
      error = case when i.attempt < $1 then null else $2::jsonb end, ended_at = case when i.attempt < $1 then null else now() end
    where i.state = 'checking'`;
  await on.query(sql, [attempts, JSON.stringify(error)]);
}

export async function selectImportPart(on: Queryable, id: number, number: number): Promise<Buffer | undefined> {
  const sql = 'select data from rafiki.import_part where import_id = $1 and number = $2';
  const [row] = await on.query<{ data: Buffer }>(sql, [id, number]);
  return row?.data;
}

type ImportOwnership = Pick<ClaimedImport, 'id' | 'attempt'>;

/** False if this attempt no longer has the import. */
export async function completeImport(
  on: Queryable,
  { id, attempt }: ImportOwnership,
  version: number,
): Promise<boolean> {
  const sql = `
    update rafiki.import set state = 'completed', version = $3, ended_at = now()
    where id = $1 and attempt = $2 and state = 'checking' returning id`;
  return (await on.query(sql, [id, attempt, version])).length > 0;
}

export async function failImport(on: Queryable, { id, attempt }: ImportOwnership, error: ErrorReport): Promise<void> {
  const sql = `
    update rafiki.import set state = 'failed', error = $3, ended_at = now()
    where id = $1 and attempt = $2 and state = 'checking'`;
  await on.query(sql, [id, attempt, JSON.stringify(error)]);
}

/** Of imports that have ended. */
export async function deleteImportParts(on: Queryable): Promise<void> {
  const sql = `
    delete from rafiki.import_part p using rafiki.import i where i.id = p.import_id and i.state in ('completed', 'failed')`;
  await on.query(sql);
}

export interface ImportedVersion {
  modelId: number;
  task: Task;
  rule: EnsembleRule;
  score: number | null;
  accuracies: readonly number[] | null;
  metric: Metric | null;
  classes: readonly string[];
  /** Null for an input that is no row. */
  columns: readonly InputColumn[] | null;
}

export async function insertImportedVersion(
  on: Queryable,
  made: ImportedVersion,
): Promise<{ id: number; version: number }> {
  const { modelId, task, rule, score, accuracies, metric, classes, columns } = made;
  const sql = `
    insert into rafiki.model_version (model_id, version, imported_as, score, accuracies, classes, metric, rule, features, kinds)
    select $1, (select coalesce(max(version), 0) + 1 from rafiki.model_version where model_id = $1), $2, $3, $4, $5, $6, $7, $8, $9
    returning id, version`;
  const [row] = await on.query<{ id: number; version: number }>(sql, [
    ...[modelId, task, score, accuracies, classes, metric, rule],
    ...[columns?.map(({ name }) => name) ?? null, columns?.map(({ kind }) => kind) ?? null],
  ]);
  return row!;
}

export interface NewImportedMember {
  rank: number;
  family: string;
  precision: Precision;
  score: number | null;
  paramsId: number;
  weight: number;
  temperature: number;
  variantOf: number | null;
}

export async function insertImportedMember(on: Queryable, versionId: number, member: NewImportedMember): Promise<void> {
  const sql = `
    insert into rafiki.model_member (version_id, rank, family, precision, score, params_id, weight, temperature, variant_of)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`;
  const { rank, family, precision, score, paramsId, weight, temperature, variantOf } = member;
  await on.query(sql, [versionId, rank, family, precision, score, paramsId, weight, temperature, variantOf]);
}
