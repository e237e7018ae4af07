-- The triggers of an attached table.

-- A row with its output column set to a label; an error if the column rejects the label.
create or replace function rafiki._with_answer(written anyelement, output name, type regtype, label text) returns anyelement
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_populate_record(written, jsonb_build_object(
    output, case when type in ('json'::regtype, 'jsonb'::regtype) then label::jsonb else to_jsonb(label) end))
$$;

-- Predicts one row. Arguments: attachment, model, kind of input, and the features of a model of several
-- columns. The trigger's condition selects rows that need a prediction, or whose input has become null.
create or replace function rafiki._fill_row() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  -- replicated from another server
  is_replayed constant boolean := current_setting('session_replication_role') = 'replica';
  attached record;
  written record;
  label text;
begin
  select * into attached from rafiki._attached(tg_relid, tg_argv[0]);
  if not found then
    return new;
  end if;
  execute format('select ($1).%1$I is null as is_empty, %2$s as input, %2$s is null and %4$s as is_too_large, %3$s as is_given',
                 attached.output, rafiki._input_sql(attached.kind, attached.inputs, attached.features, '($1)'),
                 case tg_op when 'INSERT' then format('($1).%I is not null', attached.output)
                            else format('($1).%1$I::text is distinct from ($2).%1$I::text', attached.output) end,
                 rafiki._has_input(attached.kind, attached.inputs, '($1)'))
    into written using new, case tg_op when 'UPDATE' then old end;
  if is_replayed and written.is_given and not written.is_empty then
    return new;
  elsif written.input is not null and not is_replayed then
    label := (rafiki._labels_for_writer(tg_argv[1]::bigint, attached.kind = 'image', array[written.input]))[1];
  end if;
  if label is not null then
    begin
      return rafiki._with_answer(new, attached.output, attached.type, label);
    exception when data_exception or check_violation then -- such as a label that only a newer version predicts
      perform set_config('rafiki.fill_rest', statement_timestamp()::text, true);
    end;
  end if;
  if tg_op = 'INSERT' and (is_replayed or attached.is_partition) or written.is_too_large then
    perform rafiki._mark(tg_argv[0]::bigint); -- the trigger for the rest may not see this row
  end if;
  return case when written.is_empty then new else rafiki._with_answer(new, attached.output, attached.type, null) end;
end $$;

-- The columns by which an UPDATE finds the rows of a statement again: the primary key, or an equivalent unique index.
create or replace function rafiki._key_columns(relation regclass) returns name[]
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select array(select a.attname from unnest(x.indkey) with ordinality k (attnum, nth) join pg_attribute a
               on a.attrelid = relation and a.attnum = k.attnum where k.nth <= x.indnkeyatts order by k.nth)
  from pg_index x
  where x.indrelid = relation and x.indisunique and x.indimmediate and x.indisvalid and x.indpred is null and x.indexprs is null
    and not exists (select from unnest(x.indkey) with ordinality k (attnum, nth) join pg_attribute a
                    on a.attrelid = relation and a.attnum = k.attnum where k.nth <= x.indnkeyatts and not a.attnotnull)
  order by x.indisprimary desc, x.indexrelid limit 1
$$;

-- Predicts the rows of a statement that were not predicted one by one, many in one request, and updates
-- them with the writer's rights. Arguments as for _fill_row(). Holds at most 16 MB of inputs at a time.
create or replace function rafiki._fill_rest() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  max_bytes constant int := 16 * 1024 * 1024;
  key constant name[] := rafiki._key_columns(tg_relid);
  attached record;
  waiting text; -- a query for the statement's rows that have no prediction yet, numbered
  total bigint;
  inputs text[];
  labels text[] := '{}';
  filled bigint := 0;
begin
  select * into attached from rafiki._attached(tg_relid, tg_argv[0]);
  if not found then
    return null;
  end if;
  waiting := 'select pg_catalog.row_number() over () as "rafiki nth", w.* from written w where '
             || rafiki._waits(attached.kind, attached.inputs, attached.output, 'w');
  execute format('select count(*) from (%s) w', waiting) into total;
  if total = 0 then
    return null;
  end if;
  if key is not null then
    execute format('select array_agg(i.input order by i.nth) from (select w.nth, w.input, sum(octet_length(w.input)) over (order by w.nth) as '
                     'bytes from (select w."rafiki nth" as nth, %s as input from (%s) w) w) i where i.bytes <= $1 or i.nth = 1',
                   rafiki._input_sql(attached.kind, attached.inputs, attached.features, 'w'), waiting)
      into inputs using max_bytes;
    labels := rafiki._labels_for_writer(tg_argv[1]::bigint, attached.kind = 'image', inputs);
  end if;
  if cardinality(labels) > 0 then
    begin
      execute format('update %1$s t set %2$I = %3$s from (%4$s) w join unnest($1) with ordinality l (label, nth) on l.nth = w."rafiki nth" '
                     'where l.label is not null and t.%2$I is null and %5$s is not distinct from %6$s and %7$s',
                     tg_relid::regclass, attached.output, format(rafiki._answer_sql(attached.type), 'l.label'), waiting,
                     rafiki._input_value(attached.kind, attached.inputs, 't'), rafiki._input_value(attached.kind, attached.inputs, 'w'),
                     (select string_agg(format('t.%1$I operator(pg_catalog.=) w.%1$I', k), ' and ') from unnest(key) k))
        using labels;
      get diagnostics filled = row_count;
    exception when others then
      -- the writer lacks UPDATE rights, or a label was rejected: the coordinator retries with the owner's rights
      filled := 0;
    end;
  end if;
  if filled < total then
    perform rafiki._mark(tg_argv[0]::bigint);
  end if;
  return null;
end $$;
