import type { Queryable } from '../../database.ts';

export interface PredictStatRow {
  modelId: number;
  calls: number;
  rows: number;
  cached: number;
  batches: number;
  overdue: number;
  refused: number;
  cold: number;
  loads: number;
  bytes: number;
  p50Ms: number | null;
  p99Ms: number | null;
  /** Calls by their time, and batches by their rows, for each bound, and the rest. */
  latencies: readonly number[];
  batchSizes: readonly number[];
  /** Rows by the bits of the members that computed them. */
  members: Readonly<Record<string, number>>;
}

/** Those of the models that exist. */
export async function selectModelsOf(on: Queryable, ids: readonly number[]): Promise<number[]> {
  const rows = await on.query<{ id: number }>('select id from rafiki.model where id = any($1)', [ids]);
  return rows.map(({ id }) => id);
}

/** Writes nothing if the model or the process does not exist any more. */
export async function writePredictStat(on: Queryable, processId: number, stat: PredictStatRow): Promise<void> {
  const sql = `
    insert into rafiki.predict_stat (process_id, model_id, calls, rows, cached, batches, overdue, p50_ms, p99_ms, cold, loads, bytes, refused,
      latencies, batch_sizes, members)
    select p.id, m.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::bigint[], $15::bigint[], $16::jsonb from rafiki.process p, rafiki.model m where p.id = $1 and m.id = $2
    on conflict (process_id, model_id) do update set calls = excluded.calls, rows = excluded.rows, cached = excluded.cached,
      batches = excluded.batches, overdue = excluded.overdue, p50_ms = excluded.p50_ms, p99_ms = excluded.p99_ms,
      cold = excluded.cold, loads = excluded.loads, bytes = excluded.bytes, refused = excluded.refused,
      latencies = excluded.latencies, batch_sizes = excluded.batch_sizes, members = excluded.members`;
  const { modelId, calls, rows, cached, batches, overdue, p50Ms, p99Ms, cold, loads, bytes, refused } = stat;
  const { latencies, batchSizes, members } = stat;
  const counts = [calls, rows, cached, batches, overdue, p50Ms, p99Ms, cold, loads, bytes, refused];
  await on.query(sql, [processId, modelId, ...counts, latencies, batchSizes, JSON.stringify(members)]);
}

/** The weights that a learning policy stored for a version; undefined if none. */
export async function selectPolicyWeights(on: Queryable, versionId: number, policy: string): Promise<unknown> {
  const sql = 'select weights from rafiki.policy_weights where version_id = $1 and policy = $2';
  const [row] = await on.query<{ weights: unknown }>(sql, [versionId, policy]);
  return row?.weights;
}

/** Writes nothing if the version does not exist any more. */
export async function writePolicyWeights(
  on: Queryable,
  { versionId, policy, weights }: { versionId: number; policy: string; weights: unknown },
): Promise<void> {
  const sql = `
    insert into rafiki.policy_weights (version_id, policy, weights)
    select v.id, $2, $3 from rafiki.model_version v where v.id = $1
    on conflict (version_id, policy) do update set weights = excluded.weights, updated_at = now()`;
  await on.query(sql, [versionId, policy, JSON.stringify(weights)]);
}
