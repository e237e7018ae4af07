-- The columns that a model of several columns reads: docs/decisions/0031-inputs-of-columns.md. Here and in
-- the next files `kinds` are those of `features`, in their order; null for a model of one text or image.

-- The type that a domain is of, or a domain over domains; of any other type the type itself.
create or replace function rafiki._base_type(type oid) returns oid
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with recursive base as (
    select t.oid, t.typtype, t.typbasetype from pg_type t where t.oid = type
    union all
    select t.oid, t.typtype, t.typbasetype from base b join pg_type t on t.oid = b.typbasetype where b.typtype = 'd')
  select b.oid from base b where b.typtype <> 'd'
$$;

-- The expression of a row's input, over the columns of the row: the one column; or an object of all,
-- as text. Columns keep their names, and are written as Postgres writes them in JSON: numbers with all
-- digits, times in ISO 8601. Of the columns of `source`, those whose text depends on the session are
-- written in one way, so that a row has one hash: a timestamptz as the time in UTC, an interval as its
-- seconds. The digits of a float depend on extra_float_digits, which the functions that hash rows set.
create or replace function rafiki._input_expression(features name[], kinds text[], source regclass default null) returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when kinds is null then quote_ident(features[1])
              else rafiki._row_object((
                select string_agg(format(case rafiki._base_type(a.atttypid)
                                           when 'timestamptz'::regtype then 'pg_catalog.timezone(''UTC'', %1$I) as %1$I'
                                           when 'interval'::regtype then 'pg_catalog.lower(extract(epoch from %1$I)::pg_catalog.text) as %1$I'
                                           else '%1$I' end, u.f), ', ' order by u.n)
                from unnest(features) with ordinality u (f, n) left join pg_attribute a on a.attrelid = source and a.attname = u.f)) end
$$;

-- An SQL condition for whether a row has an input. Several columns
-- always are one: their object is not built only to be tested.
create or replace function rafiki._given_test(has_columns boolean, input text) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select case when has_columns then 'true' else format('%s is not null', input) end $$;

-- The kind of each column that the caller may read, by its type; null if
-- a model of columns cannot read it. A domain is read as its base type.
create or replace function rafiki._column_kinds(source regclass) returns table (place int, name name, type text, kind text)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select a.attnum::int, a.attname, format_type(a.atttypid, a.atttypmod), (
    select k.name from rafiki.column_kind k
    cross join lateral (select base.typnamespace = 'pg_catalog'::regnamespace and base.typname = any (k.types) as is_named) n
    where n.is_named or base.typcategory = any (k.categories) order by n.is_named desc limit 1)
  from pg_attribute a join pg_type base on base.oid = rafiki._base_type(a.atttypid)
  where a.attrelid = source and a.attnum > 0 and not a.attisdropped and has_column_privilege(source, a.attnum, 'select')
$$;

-- Whether a column identifies the rows of a table: an identity column,
-- one with a sequence as default, or the primary key or a part of it.
create or replace function rafiki._identifies(source regclass, name name) returns text
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select case when a.attidentity <> '' then 'identity column'
              when pg_get_expr(d.adbin, d.adrelid) like 'nextval(%' then 'numbered by a sequence'
              when k.columns = 1 then 'primary key'
              when k.columns > 1 then 'part of the primary key' end
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  left join lateral (
    select i.indnkeyatts as columns from pg_index i cross join unnest(i.indkey) with ordinality u (attnum, nth)
    -- not what an index includes
    where i.indrelid = source and i.indisprimary and u.nth <= i.indnkeyatts and u.attnum = a.attnum) k on true
  where a.attrelid = source and a.attname = _identifies.name and not a.attisdropped
$$;

-- As rafiki._identifies, for the columns of a view: those that identify the rows of a table
-- behind it, of which the view uses a column of that name. The catalogue does not say which
-- column of a view comes from which; the name is the same unless the view renames it.
create or replace function rafiki._identified_behind(source regclass) returns table (name name, reason text)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with recursive behind as (
    select a.attrelid as relation, a.attname from pg_attribute a where a.attrelid = source and a.attnum > 0 and not a.attisdropped
    union
    select a.attrelid, a.attname from behind b join pg_rewrite r on r.ev_class = b.relation
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> b.relation
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid and a.attname = b.attname)
  select b.attname, format('%s of %s', min(i.identifies), min(b.relation::regclass::text))
  from behind b cross join lateral (select rafiki._identifies(b.relation, b.attname) as identifies) i
  where b.relation <> source and i.identifies is not null group by b.attname
$$;

-- Columns that look like keys: short, without spaces, and all different in the first rows;
-- numbers with a decimal point are prices rather than keys. The query is the caller's own.
create or replace function rafiki._key_like(source regclass, columns name[]) returns name[]
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  first_rows constant int := 10000;
  least_rows constant int := 20; -- among fewer, names and notes are all different, too
  columns_at_once constant int := 40; -- the planner compares each aggregate with all before it
  part name[];
  like_keys name[];
  found name[] := '{}';
begin
  for start in 1..cardinality(columns) by columns_at_once loop
    part := columns[start:start + columns_at_once - 1];
    execute format('select array_remove(array[%s], null) from (select %s from %s limit %s) r',
      (select string_agg(format('case when count(%1$I) >= %2$s and count(distinct %1$I::text) = count(*) and max(length(%1$I::text)) <= 64 '
                                'and not bool_or(%1$I::text collate "C" ~ ''[[:space:]]'') '
                                'and not (bool_and(%1$I::text collate "C" ~ ''^-?[0-9]*[.]?[0-9]+$'') and bool_or(strpos(%1$I::text collate "C", ''.'') > 0)) then %3$L end', t, least_rows, t), ', ' order by n)
       from unnest(part) with ordinality u (t, n)),
      (select string_agg(quote_ident(t), ', ' order by n) from unnest(part) with ordinality u (t, n)), source, first_rows) into like_keys;
    found := found || like_keys;
  end loop;
  return found;
exception when undefined_function or undefined_table or undefined_object then
  return '{}'; -- code behind the source needs a search path: rafiki._check_rows() says so
end $$;

-- Columns of json and jsonb that are arrays or single values in some of the first rows. The query is the caller's own.
create or replace function rafiki._no_objects(source regclass, documents name[]) returns name[]
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  first_rows constant int := 10000;
  found name[];
begin
  if documents = '{}' then
    return documents;
  end if;
  execute format('select array_remove(array[%s], null) from (select %s from %s limit %s) r',
    (select string_agg(format('case when bool_or(json_typeof(%1$I::json) not in (''object'', ''null'')) then %2$L end', d, d), ', ' order by n)
     from unnest(documents) with ordinality u (d, n)),
    (select string_agg(quote_ident(d), ', ' order by n) from unnest(documents) with ordinality u (d, n)), source, first_rows) into found;
  return found;
exception when undefined_function or undefined_table or undefined_object then
  return '{}'; -- code behind the source needs a search path: rafiki._check_rows() says so
end $$;

-- The columns that are left out unless they are named, each with
-- the reason; not the target and what chooses the validation rows.
create or replace function rafiki._left_out(source regclass, target name, split name) returns table (name name, reason text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with other as materialized (
    select c.*, c.type in ('smallint', 'integer', 'bigint') and c.name ~* '(^|_)id$' as is_id, coalesce(rafiki._identifies(source, c.name), b.reason) as identifies, (
      select 'filled by a model' from pg_trigger t -- of rafiki_attach, as rafiki._attached() reads it
      where t.tgrelid = source and t.tgname ~ '^rafiki_[0-9]+_update$' and t.tgattr[cardinality(t.tgattr) - 1] = c.place limit 1) as filled
    from rafiki._column_kinds(source) c left join rafiki._identified_behind(source) b on b.name = c.name
    where c.name is distinct from target and c.name is distinct from split),
  looked_at as (
    select rafiki._key_like(source, coalesce(array_agg(o.name order by o.place) filter (where o.kind = 'text' or o.is_id), '{}')) as keys,
           rafiki._no_objects(source, coalesce(array_agg(o.name order by o.place) filter (where o.kind = 'object'), '{}')) as values
    from other o where o.identifies is null)
  select o.name, coalesce(o.identifies, o.filled, case when o.kind is null then o.type when o.name = any (l.values) then 'no JSON object in some rows' end,
                          'all values differ')
  from other o, looked_at l
  where coalesce(o.identifies, o.filled) is not null or o.kind is null or o.name = any (l.keys) or o.name = any (l.values) order by o.place
$$;

-- The features of a study: those that were named, or all that are not left out; and their kinds.
create or replace function rafiki._resolve_features(
  source regclass, task rafiki.task, target name, named name[], split name, out features name[], out kinds text[]
)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  each name;
  unreadable record;
begin
  foreach each in array coalesce(named, '{}') loop
    perform rafiki._check_column(source, each);
  end loop;
  each := (select n from unnest(named) n group by n having count(*) > 1 limit 1);
  if each is not null then
    raise exception using errcode = 'duplicate_column', message = format('column "%s" is named twice in features', each),
      hint = 'Name each column once.';
  elsif target = any (named) then
    raise exception using errcode = 'duplicate_column', message = format('column "%s" cannot be both feature and target', target),
      hint = 'Name another column with target =>, or leave it out of features =>.';
  end if;
  features := coalesce(nullif(named, '{}'), array(
    select c.name from rafiki._column_kinds(source) c
    where c.name is distinct from target and c.name is distinct from split
      and c.name not in (select l.name from rafiki._left_out(source, target, split) l) order by c.place));
  if features = '{}' then
    raise exception using errcode = 'undefined_column', message = format('no column of %s is left to learn from', source),
      detail = format('Left out: %s.', rafiki._listed(array(select format('%s (%s)', l.name, l.reason) from rafiki._left_out(source, target, split) l))),
      hint = 'Name columns with features => ''{…}'', or make some in a view.';
  end if;
  select c.name, c.type into unreadable from rafiki._column_kinds(source) c where c.name = any (features) and c.kind is null limit 1;
  if found then
    raise exception using errcode = 'datatype_mismatch', message = format('column "%s" has a type that the task %s cannot use', unreadable.name, task.name),
      detail = format('It has type %s. Columns can be %s.', unreadable.type, (select string_agg(k.title, ', ' order by k.name) from rafiki.column_kind k)),
      hint = case when unreadable.type = 'bytea' then 'Images are learnt by image_classification, alone; leave the column out with features => ''{…}''.'
                  else 'Leave it out with features => ''{…}'', or cast it in a view: a part of it to a number, or all of it to text.' end;
  end if;
  kinds := array(select c.kind from unnest(features) with ordinality f (name, n) join rafiki._column_kinds(source) c using (name) order by f.n);
end $$;

-- Tells the user which columns are left out, and why.
create or replace function rafiki._notify_left_out(source regclass, target name, split name) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  left_out constant text := rafiki._listed(array(select format('%s (%s)', l.name, l.reason) from rafiki._left_out(source, target, split) l));
begin
  if left_out <> '' then
    raise notice using message = format('left out: %s', left_out), hint = 'Columns that are named are used: features => ''{…}''.';
  end if;
end $$;
