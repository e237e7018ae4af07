import type { Queryable } from '../db/database.ts';
import type { InputKind } from '../domain/task.ts';
import { UndefinedObject } from '../errors/errors.ts';

/** How a study's source is read. The statements are written by the server, which knows how names are quoted. */
export interface Reading {
  /** Whether a row that cannot be used ends the study, or is left out. */
  onBadRow: 'error' | 'skip';
  create: string;
  /** Only a superuser may give a function away without the new owner's right to create one in its schema. */
  permit: string | null;
  giveAway: string;
  call: string;
}

/** A text row is a line of JSON: [label, text]. */
const textRows = `format(
  'select pg_catalog.json_build_array(%1$I::pg_catalog.text, %2$I::pg_catalog.text)::pg_catalog.text '
    'from %3$I.%4$I where %1$I is not null and %2$I is not null',
  s.target, s.features[1], n.nspname, c.relname)`;

/** An image row is bytes: what names the row and what labels it, each after its length, and then the image. */
const imageRows = `format(
  'select pg_catalog.int4send(pg_catalog.octet_length(r.name)) || r.name || '
      'pg_catalog.int4send(pg_catalog.octet_length(r.label)) || r.label || r.image '
    'from (select pg_catalog.convert_to(%5$s, ''UTF8'') as name, '
      'pg_catalog.convert_to(%1$I::pg_catalog.text, ''UTF8'') as label, %2$I::pg_catalog.bytea as image '
      'from %3$I.%4$I where %1$I is not null and %2$I is not null) r',
  s.target, s.features[1], n.nspname, c.relname, coalesce(k.key, place.ctid, quote_literal('')))`;

/** What names a row in messages, as far as the owner may read it: its primary key, a column "id", its place; or nothing. */
const rowNames = `
  left join lateral (
    select format('pg_catalog.concat(%L, %s, '')'')', format('Key (%s)=(', string_agg(a.attname, ', ' order by i.nth)),
                  string_agg(format('%I', a.attname), ', '', '', ' order by i.nth)) as key
    from (
      select k.attnum, k.nth from pg_index x, unnest(x.indkey) with ordinality k (attnum, nth)
      where x.indrelid = c.oid and x.indisprimary and k.nth <= x.indnkeyatts
      union all
      select a.attnum, 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'id' and not a.attisdropped
        and not exists (select from pg_index x where x.indrelid = c.oid and x.indisprimary)) i
    join pg_attribute a on a.attrelid = c.oid and a.attnum = i.attnum
    having bool_and(has_column_privilege(o.name, c.oid, a.attnum, 'select'))) k on true
  cross join lateral (
    select case when c.relkind in ('r', 'm') and has_table_privilege(o.name, c.oid, 'select')
      then 'pg_catalog.concat(''Row '', ctid::pg_catalog.text)' end as ctid) place`;

const reading = (input: InputKind): string => `
  select s.on_bad_row as "onBadRow",
    format('create function rafiki_reader.%I() returns setof ${input === 'text' ? 'text' : 'bytea'} language sql stable '
             'security definer set search_path = pg_catalog, pg_temp as %L',
           f.name, ${input === 'text' ? textRows : imageRows}) as "create",
    case when not (select rolsuper from pg_roles where rolname = current_user)
      then format('grant create on schema rafiki_reader to %I', o.name) end as permit,
    format('alter function rafiki_reader.%I() owner to %I', f.name, o.name) as "giveAway",
    format('select rafiki_reader.%I()', f.name) as call
  from rafiki.study s
    join pg_class c on c.oid = s.source
    join pg_namespace n on n.oid = c.relnamespace
    cross join lateral (select pg_get_userbyid(s.owner::oid) as name) o
    cross join lateral (select 'study_' || s.id as name) f
    ${input === 'text' ? '' : rowNames}
  where s.id = $1`;

/** How the source of a study is read as its owner. */
export async function selectReading(on: Queryable, studyId: number, input: InputKind): Promise<Reading> {
  const [found] = await on.query<Reading>(reading(input), [studyId]);
  if (found !== undefined) return found;
  throw new UndefinedObject(`the source of study ${studyId} is gone`, {
    detail: 'The relation was dropped after the study was created.',
    hint: 'Train again on a relation that exists.',
  });
}
