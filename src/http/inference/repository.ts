import { UndefinedObject } from '../../errors/errors.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';

interface IndexEntry {
  name: string;
  version: string;
  state: 'READY' | 'LOADING' | 'UNAVAILABLE';
  reason: string;
}

/** Triton's repository index: the versions of the role's models. */
export function repositoryIndex(role: SignedIn, onlyReady: boolean): Promise<IndexEntry[]> {
  return role.rows<IndexEntry>(
    `select m.name, v.version::text as version,
       case d.state when 'ready' then 'READY' when 'loading' then 'LOADING' else 'UNAVAILABLE' end as state, coalesce(d.error ->> 'message', '') as reason
     from rafiki.model m join rafiki.model_version v on v.model_id = m.id
       left join lateral (select e.state, e.error from rafiki.deployment e where e.version_id = v.id order by e.id desc limit 1) d on true
     where not $1 or d.state = 'ready'
     order by m.name, v.version limit 10000`,
    [onlyReady],
  );
}

const none = { count: 0, ns: 0 };

/** Triton's statistics of a model, for its owner; times are not counted by parts, so their sums are 0. */
export async function statistics(role: SignedIn, name: string, version: number | null): Promise<object> {
  const [counts] = await role.rows<{ calls: number; rows: number; cached: number; batches: number }>(
    'select p.calls, p.rows, p.cached, p.batches from rafiki.stat_predict p where p.model = $1',
    [name],
  );
  const count = (value: number | undefined) => ({ count: value ?? 0, ns: 0 });
  const stats = {
    name,
    version: String(version ?? ''),
    last_inference: 0,
    inference_count: counts?.rows ?? 0,
    execution_count: counts?.batches ?? 0,
    inference_stats: {
      success: count(counts?.calls),
      fail: none,
      queue: none,
      compute_input: none,
      compute_infer: count(counts?.batches),
      compute_output: none,
      cache_hit: count(counts?.cached),
      cache_miss: count(counts === undefined ? 0 : counts.rows - counts.cached),
    },
    batch_stats: [],
  };
  return { model_stats: [stats] };
}

/** load: deploys the newest version; unload: none answers any more. */
export async function changeModel(role: SignedIn, name: string, step: 'load' | 'unload'): Promise<void> {
  if (step === 'unload') {
    await role.rows(`select ${role.api}.rafiki_undeploy($1::text)`, [name]);
    return;
  }
  const [row] = await role.rows<{ version: number | null }>(
    'select max(v.version) as version from rafiki.model m join rafiki.model_version v on v.model_id = m.id where m.name = $1',
    [name],
  );
  if (row?.version == null) throw new UndefinedObject(`model "${name}" does not exist`);
  await role.rows(`select ${role.api}.rafiki_deploy($1::text, $2::int)`, [name, row.version]);
}
