import type { EnsembleRule } from '../../domain/ensembles/rule.ts';
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
  /** JSON of an object, which may be large. */
  spec: string;
  bytes: number;
  deploy: boolean;
}

/** Roles, by their oids. */
export interface ImportTurns {
  /** Those that have an import in hand. */
  busy: readonly number[];
  /** Those that had a turn, the last one last. */
  turns: readonly number[];
}

/**
 * Claims the oldest import of the role whose last turn was longest ago. The leader alone does, so a claim needs no lease: of an earlier
 * leader none is at work any more, and its late results are refused by their attempt.
 */
export async function claimImport(on: Queryable, { busy, turns }: ImportTurns): Promise<ClaimedImport | undefined> {
  const sql = `
    update rafiki.import i set state = 'checking', attempt = i.attempt + 1, started_at = coalesce(i.started_at, now())
    from (select f.id from rafiki.import f where f.state = 'queued' and f.owner::oid <> all ($1::oid[])
          order by coalesce(array_position($2::oid[], f.owner::oid), 0), f.id limit 1 for update skip locked) free
    where i.id = free.id
    returning i.id, i.attempt, i.owner::oid::bigint as owner, i.model, i.task, i.spec::text as spec, i.bytes, i.deploy`;
  const [row] = await on.query<ClaimedImport>(sql, [busy, turns]);
  return row;
}

/** Imports that an earlier leader was checking are queued again, up to `attempts` times; then they fail. */
export async function requeueImports(on: Queryable, attempts: number, error: ErrorReport): Promise<void> {
  const sql = `
    with failed as (
      update rafiki.import set state = 'failed', error = $2, ended_at = now(), spec = '{}' where state = 'checking' and attempt >= $1
    )
    update rafiki.import set state = 'queued' where state = 'checking' and attempt < $1`;
  await on.query(sql, [attempts, JSON.stringify(error)]);
}

/** Of a leader that stops: the attempt does not count. */
export async function releaseImport(on: Queryable, { id, attempt }: ImportOwnership): Promise<void> {
  const sql = `
    update rafiki.import set state = 'queued', attempt = attempt - 1 where id = $1 and attempt = $2 and state = 'checking'`;
  await on.query(sql, [id, attempt]);
}

/** At once. */
const MAX_ABANDONED = 10;

/**
 * Those whose transaction was committed before their file was whole: none can become so any more. Returns their number. Their parts go with
 * them.
 */
export async function deleteAbandonedImports(on: Queryable): Promise<number> {
  const sql = `
    delete from rafiki.import i
    using (select a.id from rafiki.import a where a.state = 'uploading' order by a.id limit $1 for update skip locked) abandoned
    where i.id = abandoned.id returning i.id`;
  return (await on.query(sql, [MAX_ABANDONED])).length;
}

/**
 * Those of a role beyond its quota: sessions that do not see each other's rows yet may have begun too many. Their files are deleted like
 * those of others that have ended.
 */
export async function endExcessImports(on: Queryable, error: ErrorReport): Promise<void> {
  const sql = `
    update rafiki.import i set state = 'failed', error = $1, ended_at = now(), spec = '{}'
    from (select o.id, row_number() over (partition by o.owner order by o.id) as place
          from rafiki.import o where o.state in ('queued', 'checking')) open
    where open.id = i.id and i.state = 'queued' and open.place > (select q.value from rafiki.quota q where q.name = 'open_imports')
    returning i.id`;
  if ((await on.query(sql, [JSON.stringify(error)])).length > 0) await deleteImportParts(on);
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
    update rafiki.import set state = 'completed', version = $3, ended_at = now(), spec = '{}'
    where id = $1 and attempt = $2 and state = 'checking' returning id`;
  return (await on.query(sql, [id, attempt, version])).length > 0;
}

export async function failImport(on: Queryable, { id, attempt }: ImportOwnership, error: ErrorReport): Promise<void> {
  const sql = `
    update rafiki.import set state = 'failed', error = $3, ended_at = now(), spec = '{}'
    where id = $1 and attempt = $2 and state = 'checking'`;
  await on.query(sql, [id, attempt, JSON.stringify(error)]);
}

/** Of imports that have ended. */
export async function deleteImportParts(on: Queryable): Promise<void> {
  const sql = `
    delete from rafiki.import_part p using rafiki.import i where i.id = p.import_id and i.state in ('completed', 'failed')`;
  await on.query(sql);
}

/** Whether a role whose rights `role`, an oid, does not have trains a model of that name. */
export async function isTrainedByOther(
  on: Queryable,
  { name, role }: { name: string; role: number },
): Promise<boolean> {
  const sql = `
    select from rafiki.study s
    where s.model = $1 and s.state in ('queued', 'running') and not pg_has_role($2::oid, s.owner::oid, 'usage') limit 1`;
  return (await on.query(sql, [name, role])).length > 0;
}

/** Whether a transaction that is not committed has queued a study under the name, after `lockModel`: one that is queued later waits for it. */
export async function hasUncommittedStudy(on: Queryable, model: string): Promise<boolean> {
  const [row] = await on.query<{ has: boolean }>('select rafiki._has_uncommitted_study($1) as has', [model]);
  return row!.has;
}

/** The encoder of that content, see `rafiki._params_hash`, if the role, an oid, may use it. */
export async function selectUsableEncoder(
  on: Queryable,
  { hash, role }: { hash: string; role: number },
): Promise<number | undefined> {
  const sql = `
    select e.params_id as "paramsId" from rafiki.encoder e
    where rafiki._params_hash(e.params_id) = $1 and (e.is_public or exists (
      select from rafiki.encoder_grant g where g.encoder_id = e.id and pg_has_role($2::oid, g.role::oid, 'usage')))
    order by e.id limit 1`;
  const [row] = await on.query<{ paramsId: number }>(sql, [hash, role]);
  return row?.paramsId;
}

export interface ImportedVersion {
  modelId: number;
  task: Task;
  rule: EnsembleRule;
  accuracies: readonly number[] | null;
  classes: readonly string[];
  /** Null for an input that is no row. */
  columns: readonly InputColumn[] | null;
}

export async function insertImportedVersion(
  on: Queryable,
  made: ImportedVersion,
): Promise<{ id: number; version: number }> {
  const { modelId, task, rule, accuracies, classes, columns } = made;
  const sql = `
    insert into rafiki.model_version (model_id, version, imported_as, accuracies, classes, rule, features, kinds)
    select $1, rafiki._next_version($1), $2, $3, $4, $5, $6, $7
    returning id, version`;
  const [row] = await on.query<{ id: number; version: number }>(sql, [
    ...[modelId, task, accuracies, classes, rule],
    ...[columns?.map(({ name }) => name) ?? null, columns?.map(({ kind }) => kind) ?? null],
  ]);
  return row!;
}

export interface NewImportedMember {
  rank: number;
  family: string;
  precision: Precision;
  paramsId: number;
  weight: number;
  temperature: number;
  variantOf: number | null;
}

export async function insertImportedMember(on: Queryable, versionId: number, member: NewImportedMember): Promise<void> {
  const sql = `
    insert into rafiki.model_member (version_id, rank, family, precision, params_id, weight, temperature, variant_of)
    values ($1, $2, $3, $4, $5, $6, $7, $8)`;
  const { rank, family, precision, paramsId, weight, temperature, variantOf } = member;
  await on.query(sql, [versionId, rank, family, precision, paramsId, weight, temperature, variantOf]);
}
