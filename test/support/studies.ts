import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '../../src/db/database.ts';

/** A table of short reviews whose words decide the label, so that any family learns it in a second. */
export async function createReviews(db: Queryable, rows = 200): Promise<void> {
  await db.query('create table reviews (id int primary key, label text, body text)');
  await db.query(
    `insert into reviews
     select i, case when i % 2 = 0 then 'pos' else 'neg' end,
       format('film %s was %s and its plot %s', i, case when i % 2 = 0 then 'great' else 'awful' end, i * 7 % 101)
     from generate_series(1, $1) i`,
    [rows],
  );
}

export interface StudyFields {
  model?: string;
  source?: string;
  features?: string[];
  families?: string[] | null;
  knobs?: Record<string, unknown>;
  maxTrials?: number;
  maxTime?: string;
  deploy?: boolean;
  /** Chance of a random start, all through the study. */
  alpha?: number;
}

/** A queued study, written as rafiki_train would. */
export async function insertStudy(db: Queryable, fields: StudyFields = {}): Promise<number> {
  const { model = 'm', source = 'reviews', features = ['body'], families = null, knobs = {} } = fields;
  const { maxTrials = 2, maxTime = '2 min', deploy = true, alpha = 1 } = fields;
  const sql = `
    insert into rafiki.study (task, source, model, target, features, families, knobs, max_trials, max_time, validation, seed, deploy, alpha_first, alpha_last)
    values ('sentiment', $1::regclass, $2, 'label', $3, $4, $5, $6, $7, 0.25, 1, $8, $9, $9) returning id`;
  const values = [source, model, features, families, JSON.stringify(knobs), maxTrials, maxTime, deploy, alpha];
  const [row] = await db.query<{ id: number }>(sql, values);
  return row!.id;
}

/** Asks until `query` returns a row, for `ms` at most. */
export async function eventually<Row>(db: Queryable, query: string, values: unknown[] = [], ms = 30_000): Promise<Row> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline) {
    const [row] = await db.query<Row>(query, values);
    if (row !== undefined) return row;
    await sleep(50);
  }
  throw new Error(`not within ${ms} ms: ${query}`);
}

export interface EndedStudy {
  state: string;
  version: number | null;
  notice: string | null;
  error: { sqlstate: string; message: string; detail?: string } | null;
}

export const studyEnd = (db: Queryable, id: number, ms = 45_000): Promise<EndedStudy> =>
  eventually(
    db,
    `select state, version, notice, error from rafiki.study where id = $1 and ended_at is not null`,
    [id],
    ms,
  );
