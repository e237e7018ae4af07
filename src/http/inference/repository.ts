import type { SignedIn } from '../sign-in/signed-in.ts';

interface IndexEntry {
  name: string;
  version: string;
  state: 'READY' | 'LOADING' | 'UNAVAILABLE';
  reason: string;
}

/** Triton's repository index: the versions of the role's models. */
export function repositoryIndex(role: SignedIn, onlyReady: boolean): Promise<IndexEntry[]> {
  return role.call<IndexEntry>('repository', { ready: onlyReady });
}

const none = { count: 0, ns: 0 };

/** Triton's statistics of a model, for its owner; times are not counted by parts, so their sums are 0. */
export async function statistics(role: SignedIn, name: string, version: number | null): Promise<object> {
  const [counts] = await role.call<{ calls: number; rows: number; cached: number; batches: number }>('stats', {
    model: name,
  });
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
  await role.call(step === 'unload' ? 'undeploy' : 'load', { model: name });
}
