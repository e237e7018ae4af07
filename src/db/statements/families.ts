import type { KnobRow } from '../../domain/knob-rows.ts';
import type { Task } from '../../domain/task.ts';
import type { Queryable } from '../database.ts';

/** A family from elsewhere, as its workers describe it. */
interface AnnouncedFamily {
  name: string;
  title: string;
  /** A study with fewer trials uses it only if requested. */
  minTrials: number;
  needsEncoder: boolean;
}

/** The same for one task. */
export interface WorkerFamily extends AnnouncedFamily {
  task: Task;
  knobs: Record<string, KnobRow>;
  /** Running workers that have it. */
  workers: number;
}

/** Writes down that a worker has a family. Throws if the name is taken: by one of Rafiki, or by another one of a running worker. */
export async function announceFamily(
  on: Queryable,
  processId: number,
  { name, title, minTrials, needsEncoder, knobs }: AnnouncedFamily & { knobs: Partial<Record<Task, unknown>> },
): Promise<void> {
  const sql = 'select rafiki._tell_family($1, $2, $3, $4, $5, $6)';
  await on.query(sql, [processId, name, title, minTrials, needsEncoder, JSON.stringify(knobs)]);
}

/** Families from elsewhere that workers have, or had lately. */
export function selectWorkerFamilies(on: Queryable): Promise<WorkerFamily[]> {
  return on.query(`
    select f.name, f.task, f.title, f.knobs, f.min_trials as "minTrials", f.needs_encoder as "needsEncoder",
      rafiki._workers_with(f.name) as workers
    from rafiki.family f where f.of_workers order by f.name, f.task`);
}
