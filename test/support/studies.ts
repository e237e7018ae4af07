import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Queryable } from '../../src/db/database.ts';

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
  /** Its owner; default: the session's role. */
  owner?: string;
  task?: string;
  source?: string;
  target?: string;
  features?: string[];
  families?: string[] | null;
  knobs?: Record<string, unknown>;
  maxTrials?: number;
  maxTime?: string;
  deploy?: boolean;
  /** Chance of a random start, all through the study. */
  alpha?: number;
  /** What its trials are scored on, if not a share of the rows. */
  validation?: { validation_source?: string; validation_split?: string; validation_after?: string };
  metric?: string;
  classWeights?: string | null;
  replace?: boolean;
}

/** A queued study, written as rafiki_train would; `db` is a superuser's. */
export function insertStudy(db: Database, fields: StudyFields = {}): Promise<number> {
  const { model = 'm', task = 'sentiment', source = 'reviews', target = 'label', features = ['body'] } = fields;
  const { families = null, knobs = {}, maxTrials = 2, maxTime = '2 min', deploy = true, alpha = 1 } = fields;
  const { validation = {}, metric = 'accuracy', classWeights = null, replace = false } = fields;
  return db.transaction(async (tx) => {
    if (fields.owner !== undefined) await tx.query(`set local role "${fields.owner}"`);
    const make = `
      select reader, ticket, (select oid from pg_roles where rolname = current_user) as owner
      from rafiki._make_reader(jsonb_populate_record(null::rafiki.study, $1))`;
    const request = { source, task, target, features, ...validation };
    const [made] = await tx.query<{ reader: string; ticket: string; owner: number }>(make, [JSON.stringify(request)]);
    await tx.query('reset role');
    const sql = `
      insert into rafiki.study (owner, task, source, model, target, features, families, knobs, max_trials, max_time, validation,
                                seed, deploy, alpha_first, alpha_last, reader, ticket, metric, class_weights, replace,
                                validation_source, validation_split, validation_after)
      values ($1::oid::regrole, $2, $3::text::regclass, $4, $5, $6, $7, $8, $9, $10, 0.25, 1, $11, $12, $12, $13,
              rafiki._ticket_hash($14), $15, $16, $17, $18::text::regclass, $19, $20)
      returning id`;
    const [row] = await tx.query<{ id: number }>(sql, [
      ...[made!.owner, task, source, model, target, features, families, JSON.stringify(knobs), maxTrials, maxTime],
      ...[deploy, alpha, made!.reader, made!.ticket, metric, classWeights, replace],
      ...[
        validation.validation_source ?? null,
        validation.validation_split ?? null,
        validation.validation_after ?? null,
      ],
    ]);
    return row!.id;
  });
}

/** Requests a study whose members are trained again on all rows, in a database without refits. */
export const withRefit = (db: Database, request: string): Promise<{ id: number }[]> =>
  db.transaction(async (tx) => {
    await tx.query('set local rafiki.refit = on');
    return tx.query<{ id: number }>(request);
  });

/** Asks until `query` returns a row, for `ms` at most. */
export async function eventually<Row>(
  db: Queryable,
  query: string,
  values: unknown[] = [],
  ms = 120_000,
): Promise<Row> {
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

export const studyEnd = (db: Queryable, id: number, ms = 150_000): Promise<EndedStudy> =>
  eventually(
    db,
    `select state, version, notice, error from rafiki.study where id = $1 and ended_at is not null`,
    [id],
    ms,
  );
