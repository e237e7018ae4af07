import type { Database } from '../db/database.ts';
import { announceFamily } from '../db/statements/families.ts';
import { knobRows } from '../domain/knob-rows.ts';
import type { Family } from '../models/family.ts';
import { tasksOf } from '../models/registry.ts';

/** Writes down which families from elsewhere a worker has, so that studies can have trials of them. */
export async function announceFamilies(
  database: Database,
  processId: number,
  families: readonly Family[],
): Promise<void> {
  for (const family of families) {
    const { name, title, minTrials = 0, needsEncoder = false } = family;
    const knobs = Object.fromEntries(tasksOf(family).map((task) => [task, knobRows(family.space(task))]));
    await announceFamily(database, processId, { name, title, minTrials, needsEncoder, knobs });
  }
}
