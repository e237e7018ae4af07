import type { Task } from '../../domain/task.ts';
import type { Queryable } from '../database.ts';

export interface FamilyRow {
  name: string;
  task: Task;
  title: string;
  /** What rafiki_train checks knobs against and rafiki_knobs shows. */
  knobs: Record<string, unknown>;
}

/** Makes the table list exactly these families. */
export async function replaceFamilies(on: Queryable, rows: readonly FamilyRow[]): Promise<void> {
  const sql = `
    with wanted as (
      select w.* from jsonb_to_recordset($1::jsonb) as w (name text, task text, title text, knobs jsonb)
    ), gone as (
      delete from rafiki.family f where not exists (select from wanted w where w.name = f.name and w.task = f.task)
    )
    insert into rafiki.family as f (name, task, title, knobs)
    select w.name, w.task, w.title, w.knobs from wanted w join rafiki.task t on t.name = w.task
    on conflict (name, task) do update set title = excluded.title, knobs = excluded.knobs
    where (f.title, f.knobs) is distinct from (excluded.title, excluded.knobs)`;
  await on.query(sql, [JSON.stringify(rows)]);
}
