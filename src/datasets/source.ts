import type { Writable } from 'node:stream';
import { copyLines } from '../db/copy.ts';
import type { Connection } from '../db/database.ts';
import { refusal } from '../db/refusal.ts';
import { UndefinedObject } from '../errors/errors.ts';

/** The statements that read a study's source as its owner, written by the server, which knows how names are quoted. */
interface Reading {
  create: string;
  /** Only a superuser may give a function away without the new owner's right to create one in its schema. */
  permit: string | null;
  giveAway: string;
  call: string;
}

const reading = `
  select
    format(
      'create function rafiki_reader.%I() returns setof text language sql stable security definer '
        'set search_path = pg_catalog, pg_temp as %L',
      f.name,
      format(
        'select pg_catalog.json_build_array(%1$I::pg_catalog.text, %2$I::pg_catalog.text)::pg_catalog.text '
          'from %3$I.%4$I where %1$I is not null and %2$I is not null',
        s.target, s.features[1], n.nspname, c.relname
      )
    ) as "create",
    case when not (select rolsuper from pg_roles where rolname = current_user)
      then format('grant create on schema rafiki_reader to %I', o.name) end as permit,
    format('alter function rafiki_reader.%I() owner to %I', f.name, o.name) as "giveAway",
    format('select rafiki_reader.%I()', f.name) as call
  from rafiki.study s
    join pg_class c on c.oid = s.source
    join pg_namespace n on n.oid = c.relnamespace
    cross join lateral (select pg_get_userbyid(s.owner::oid) as name) o
    cross join lateral (select 'study_' || s.id as name) f
  where s.id = $1`;

/**
 * Streams the labelled rows of a study's source, one JSON array [label, text] a line, exactly as its owner sees them.
 *
 * SET ROLE would be no boundary: a function behind the owner's view could reset it and go on as the service. Inside a
 * security definer function that is refused, so the query runs in one that belongs to the owner. It lives in this
 * transaction alone: nobody else ever sees it, and the rollback takes it away. The connection is closed afterwards by
 * whoever opened it, with whatever settings the owner's code left behind.
 */
export async function readSource(connection: Connection, studyId: number, destination: Writable): Promise<void> {
  try {
    await connection.query('begin isolation level repeatable read');
    const [statements] = await connection.query<Reading>(reading, [studyId]);
    if (statements === undefined) throw sourceGone(studyId);
    await connection.query(statements.create);
    if (statements.permit !== null) await connection.query(statements.permit);
    await connection.query(statements.giveAway);
    await connection.query('set transaction read only');
    await copyLines(connection, statements.call, destination);
    await connection.query('rollback');
  } catch (error) {
    throw refusal(error);
  }
}

const sourceGone = (studyId: number): UndefinedObject =>
  new UndefinedObject(`the source of study ${studyId} is gone`, {
    detail: 'The relation was dropped after the study was created.',
    hint: 'Train again on a relation that exists.',
  });
