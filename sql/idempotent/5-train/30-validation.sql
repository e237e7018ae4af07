-- The validation rows of a study: a share of its rows, or rows that its owner chose.

-- An expression that names a row in messages: its primary key, a
-- column "id", or its ctid, whichever the caller may read; else null.
create or replace function rafiki._row_name(source regclass) returns text
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (select format('pg_catalog.concat(%L, %s, '')'')', format('Key (%s)=(', string_agg(a.attname, ', ' order by i.nth)),
                   string_agg(format('%I', a.attname), ', '', '', ' order by i.nth))
     from (
       select k.attnum, k.nth from pg_index x, unnest(x.indkey) with ordinality k (attnum, nth)
       where x.indrelid = source and x.indisprimary and k.nth <= x.indnkeyatts
       union all
       select a.attnum, 1 from pg_attribute a where a.attrelid = source and a.attname = 'id' and not a.attisdropped
         and not exists (select from pg_index x where x.indrelid = source and x.indisprimary)) i
     join pg_attribute a on a.attrelid = source and a.attnum = i.attnum
     having bool_and(has_column_privilege(source, a.attnum, 'select'))),
    (select 'pg_catalog.concat(''Row '', ctid::pg_catalog.text)' from pg_class c
     where c.oid = source and c.relkind in ('r', 'm') and has_table_privilege(source, 'select')),
    quote_literal(''))
$$;

-- The qualified name of a column's type if that is a date or timestamp; else null.
create or replace function rafiki._time_type(source regclass, name name) returns text
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select 'pg_catalog.' || t.typname
  from pg_attribute a join pg_type t on t.oid = rafiki._base_type(a.atttypid)
  where a.attrelid = source and a.attname = _time_type.name and not a.attisdropped
    and t.oid in ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
$$;

-- The query for the rows of a study, used by workers and by the checks before. Its columns are name (for messages),
-- label, input, and validates: whether trials are scored on the row, or null if the hash of the input decides.
create or replace function rafiki._study_rows(request rafiki.study, with_names boolean default false) returns text
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('select %s as name, %I as label, %s as input, %s as validates from %s',
                           case when with_names then rafiki._row_name(r.relation) else 'null::pg_catalog.text' end,
                           request.target, rafiki._input_expression(request.features, request.kinds, r.relation), r.validates, r.relation), ' union all ')
  from (
    select request.source as relation, case
      when request.validation_source is not null then 'false'
      when request.validation_split is null then 'null::pg_catalog.bool'
      when request.validation_after is null then format('%I operator(pg_catalog.=) true', request.validation_split)
      else format('%I operator(pg_catalog.>) %L::%s', request.validation_split, request.validation_after,
                  rafiki._time_type(request.source, request.validation_split)) end as validates
    union all
    select request.validation_source, 'true' where request.validation_source is not null) r
$$;

-- The date or timestamp column for validation_after: the one that was named, or the only one.
create or replace function rafiki._split_column(source regclass, named name) returns name
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  candidates constant name[] := (
    select coalesce(array_agg(c.name), '{}') from rafiki._source_columns(source) c where rafiki._time_type(source, c.name) is not null);
begin
  if named is null then
    return rafiki._only_candidate(source, candidates, 'time that validation_after is about', 'validation_split => %L', nameable => false);
  end if;
  perform rafiki._check_column(source, named);
  if named <> all (candidates) then
    raise exception using errcode = 'datatype_mismatch', message = format('column "%s" of %s has no dates or times', named, source),
      detail = format('Columns of type date or timestamp: %s.', coalesce(nullif(array_to_string(candidates, ', '), ''), 'none')),
      hint = 'Leave out validation_after => where the column is a boolean, or name a column of times with validation_split =>.';
  end if;
  return named;
end $$;

-- Checks the options that choose the validation rows, and returns the request with validation_after filled
-- in as the reader of the source needs it. The caller must have the right to read every named column.
create or replace function rafiki._resolve_validation(request rafiki.study, task rafiki.task, after timestamptz) returns rafiki.study
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if request.validation_source is not null and (request.validation_split is not null or after is not null) then
    raise exception using errcode = 'invalid_parameter_value', message = 'two options choose the rows that trials are scored on',
      detail = format('A table of its own, %s, and a column of %s.', request.validation_source, request.source),
      hint = 'Give validation_source =>, or validation_split => and validation_after =>.';
  elsif request.validation_source is not null then
    perform rafiki._check_relation(request.validation_source);
    perform rafiki._resolve_columns(request.validation_source, task, request.target, request.features);
    if request.validation_source = request.source then
      raise exception using errcode = 'invalid_parameter_value', message = 'validation_source is the source itself',
        detail = format('It is %s: trials would be scored on the rows that they learn.', request.source),
        hint = 'Leave it out to keep a share of the rows for it, or name another table.';
    end if;
  elsif request.validation_split is not null or after is not null then
    perform rafiki._check_column(request.source, request.validation_split);
    if after is not null then
      execute format('select to_json($1::%s) #>> ''{}''', rafiki._time_type(request.source, request.validation_split))
        into request.validation_after using after; -- workers have another time zone and another DateStyle
    elsif not exists (select from rafiki._source_columns(request.source) c
                      where c.name = request.validation_split and c.type = 'boolean') then
      raise exception using errcode = 'datatype_mismatch',
        message = format('column "%s" of %s cannot choose the validation rows', request.validation_split, request.source),
        detail = 'It is not a boolean.',
        hint = 'For a column of times, say after which one: validation_after => ''2026-01-01''.';
    end if;
    if request.validation_split = any (request.target || request.features) then
      raise exception using errcode = 'duplicate_column',
        message = format('column "%s" cannot be both learnt and what splits the rows', request.validation_split),
        hint = 'Name another column with validation_split =>.';
    end if;
  end if;
  return request;
end $$;

-- The share of the rows to validate on; an error if it is given although the rows are chosen.
create or replace function rafiki._validation_share(given float8, is_chosen boolean) returns float8
language plpgsql immutable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if given is not null and is_chosen then
    raise exception using errcode = 'invalid_parameter_value', message = 'validation is given, but the rows to validate on are chosen',
      detail = format('validation => %s is a share of the rows; validation_source, validation_split and validation_after say which they are.', given),
      hint = 'Leave out one of the two.';
  end if;
  return coalesce(given, 0.2);
end $$;

-- Whether the owner chose the validation rows.
create or replace function rafiki._has_validation_rows(request rafiki.study) returns boolean
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select request.validation_source is not null or request.validation_split is not null $$;
