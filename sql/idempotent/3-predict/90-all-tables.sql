-- Predicts whole tables into other tables, part by part, each in its own transaction. The target's rows
-- are the only state: a run predicts the rows that the target lacks, so it can be killed and repeated
-- at any time. Within one run the key ascends, so that no part rescans earlier ones. The statement runs
-- with the caller's rights, search path and triggers, so every name in it is schema-qualified.

-- A key of a relation, in the order of its index: the primary key, or a unique
-- index over the named columns (over all of them if `exactly`). `operators` is the
-- schema of the operators that order the column. No row if there is no such index.
create or replace function rafiki._key(relation regclass, named name[], exactly boolean)
returns table (place bigint, name name, type text, operators text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with found as (
    select i.indexrelid, i.indrelid, i.indisprimary, u.place, u.attnum, c.opcfamily, c.opcintype, c.opcdefault
    from pg_index i
    cross join lateral rows from (unnest(i.indkey::int2[]), unnest(i.indclass::oid[])) with ordinality u (attnum, class, place)
    join pg_opclass c on c.oid = u.class
    where i.indrelid = relation and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
      and (i.indimmediate or not exactly)
  ), chosen as (
    select f.indexrelid
    from found f join pg_attribute a on a.attrelid = f.indrelid and a.attnum = f.attnum
    group by f.indexrelid, f.indisprimary
    having bool_and(a.attnotnull and f.opcdefault)
      and case when named is null then f.indisprimary
               when exactly then array_agg(a.attname) @> named and array_agg(a.attname) <@ named
               else array_agg(a.attname) <@ named end
    order by f.indisprimary desc, count(*), f.indexrelid limit 1
  )
  select f.place, a.attname, format_type(a.atttypid, a.atttypmod), (
    select quote_ident(n.nspname)
    from pg_amop o join pg_operator p on p.oid = o.amopopr join pg_namespace n on n.oid = p.oprnamespace
    where o.amopfamily = f.opcfamily and o.amopstrategy = 5 and o.amoplefttype = f.opcintype and o.amoprighttype = f.opcintype)
  from found f join chosen using (indexrelid)
  join pg_attribute a on a.attrelid = f.indrelid and a.attnum = f.attnum
  order by f.place
$$;

-- Raises an error if the caller lacks select or insert rights on the given columns.
create or replace function rafiki._check_columns_rights(relation regclass, selected name[], inserted name[]) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  lacking text;
begin
  select string_agg(format('%s (%s)', w.privilege, w.columns), ', ' order by w.privilege desc) into lacking
  from (select p.privilege, string_agg(quote_ident(p.name), ', ' order by p.place) as columns
        from (select 'select' as privilege, s.* from unnest(selected) with ordinality s (name, place)
              union all
              select 'insert', i.* from unnest(inserted) with ordinality i (name, place)) p
        where not has_column_privilege(relation, p.name, p.privilege) group by p.privilege) w;
  if lacking is not null then
    raise exception using errcode = 'insufficient_privilege', message = format('permission denied for %s', relation),
      detail = format('Role %s lacks: %s.', current_user, lacking),
      hint = format('Let its owner run: grant %s on %s to %I;', lacking, relation, current_user);
  end if;
end $$;

-- Checks the source and finds its key and the expression of what the model reads.
create or replace function rafiki._all_source(
  model text, source regclass, inout key name[], input name, out expression text, out input_kind text
)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  task rafiki.task;
  named constant name[] := key;
  each name;
begin
  perform rafiki._model_key(model);
  if not exists (select from pg_class c where c.oid = source) then
    perform rafiki._check_relation(source);
  elsif not exists (select from pg_class c where c.oid = source and c.relkind in ('r', 'p', 'm')) then
    raise exception using errcode = 'wrong_object_type', message = format('%s is not a table', source),
      detail = 'Without a unique index it is not known which of its rows are predicted already.',
      hint = 'Make a table or a materialized view of it, with a unique index; or use rafiki_predict_query(model, query).';
  end if;
  foreach each in array coalesce(named, '{}') loop
    perform rafiki._check_column(source, each);
  end loop;
  key := (select array_agg(k.name order by k.place) from rafiki._key(source, named, false) k);
  if key is null then
    raise exception using errcode = 'invalid_table_definition',
      message = case when named is null then format('%s has no primary key', source)
                     else format('%s are not a key of %s', array_to_string(named, ', '), source) end,
      detail = 'The key shows which rows are predicted already.',
      hint = format('Name the columns of a unique index, none of which may be null, with key => ''{…}'', or run: '
                    'alter table %s add primary key (…);', source);
  end if;
  perform rafiki._check_columns_rights(source, key, null);
  select t.* into task from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model;
  input_kind := task.input;
  expression := rafiki._all_input(model, source, task, key, input);
end $$;

-- The expression of what the model reads in the rows of "s": all its columns; or one,
-- which was named, that of its last study, or the only candidate outside the key.
create or replace function rafiki._all_input(model text, source regclass, task rafiki.task, key name[], named name) returns text
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  candidates name[] := array(select c.name from rafiki._task_columns(source, task) c where c.is_feature);
  learnt name := (select s.features[1] from rafiki.study s where s.model = _all_input.model and s.version is not null
                  order by s.id desc limit 1);
  reads record;
begin
  if task.input = 'columns' then
    if named is not null then
      perform rafiki._refuse_feature(model, 'input');
    end if;
    select r.features, r.kinds into reads from rafiki._model_reads(model) r;
    perform rafiki._check_read_columns(model, source, reads.features);
    return rafiki._input_expression(reads.features, reads.kinds);
  elsif named is not null then
    perform rafiki._check_column(source, named);
    if not named = any (candidates) then
      raise exception using errcode = 'datatype_mismatch', message = format('model "%s" cannot read column "%s"', model, named),
        detail = (select format('Column "%s" has type %s.', c.name, c.type) from rafiki._source_columns(source) c where c.name = named),
        hint = format('Name a column of type %s.', case task.input when 'image' then 'bytea' else 'text' end);
    end if;
  elsif learnt = any (candidates) then
    named := learnt;
  else
    named := rafiki._only_candidate(source, array(select c from unnest(candidates) c where not c = any (key)), 'input', 'input => %L',
                                    nameable => cardinality(candidates) > 0);
  end if;
  return format('s.%I%s', named, case task.input when 'image' then '' else '::pg_catalog.text' end);
end $$;

-- Raises an error if an existing target cannot hold predictions under this key.
create or replace function rafiki._check_all_target(source regclass, target regclass, key name[], outputs name[]) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  each name;
  different text;
begin
  if target = source then
    raise exception using errcode = 'invalid_parameter_value', message = 'a table cannot take the predictions of its own rows',
      detail = format('Both are %s.', target),
      hint = 'Name another table, which is made if it is not there. Afterwards: update … set … from it.';
  elsif not exists (select from pg_class c where c.oid = target and c.relkind in ('r', 'p')) then
    raise exception using errcode = 'wrong_object_type', message = format('%s is not a table', target),
      detail = 'Only a table has a key, by which it is known which rows are predicted already.', hint = 'Name a table, or one that is not there yet.';
  end if;
  foreach each in array key || outputs loop
    if not exists (select from pg_attribute a where a.attrelid = target and a.attname = each and a.attnum > 0 and not a.attisdropped) then
      raise exception using errcode = 'undefined_column', message = format('column "%s" of %s does not exist', each, target),
        detail = format('It takes the columns of the key of %s and those of the predictions: %s.', source, array_to_string(key || outputs, ', ')),
        hint = 'Add it, name another with output =>, or name a table that is not there yet.';
    end if;
  end loop;
  select string_agg(format('"%s" is %s in %s and %s in %s', k.name, k.type, source, format_type(a.atttypid, a.atttypmod), target), '; ')
  into different
  from rafiki._key(source, key, false) k join pg_attribute a on a.attrelid = target and a.attname = k.name
  where format_type(a.atttypid, a.atttypmod) <> k.type;
  if different is not null then
    raise exception using errcode = 'datatype_mismatch', message = 'the tables have keys of different types',
      detail = different || '.', hint = 'Give both columns one type, or name a table that is not there yet.';
  elsif not exists (select from rafiki._key(target, key, true)) then
    raise exception using errcode = 'invalid_table_definition', message = format('%s has no key of the same columns', target),
      detail = 'Without one a row could be inserted twice.',
      hint = format('Run: alter table %s add primary key (%s);', target, (select string_agg(quote_ident(k), ', ') from unnest(key) k));
  end if;
  perform rafiki._check_columns_rights(target, key, key || outputs);
end $$;

-- The target table; created if it does not exist, with key columns like those of the source. Null if another
-- session creates it at the same time: the caller then repeats with a later snapshot, which sees the table.
create or replace function rafiki._all_target(source regclass, target regclass, parts text[], key name[], outputs name[], type text) returns regclass
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  columns constant text := (select string_agg(quote_ident(k), ', ' order by n) from unnest(key) with ordinality u (k, n));
  name constant text := (select string_agg(quote_ident(p), '.' order by n) from unnest(parts) with ordinality u (p, n));
begin
  if target is null then
    if parts[1] is null or to_regnamespace(quote_ident(parts[1])) is null then
      raise exception using errcode = 'invalid_schema_name', message = format('there is no schema for table %s', parts[2]),
        detail = format('Schema: %s.', coalesce(parts[1], 'none of the search path')), hint = 'Name an existing schema: into_table => ''public.…''.';
    elsif not has_schema_privilege(parts[1], 'create') then
      raise exception using errcode = 'insufficient_privilege', message = format('permission denied for schema %s', quote_ident(parts[1])),
        detail = format('Table %s does not exist, and role %s may not create it.', name, current_user),
        hint = format('Let the owner run: grant create on schema %I to %I; or make the table with the columns %s, %s and a primary key of the first.',
                      parts[1], current_user, columns, array_to_string(outputs, ', '));
    elsif key && outputs then
      raise exception using errcode = 'duplicate_column', message = format('the key of %s has a column "%s"', source, outputs[1]),
        detail = format('Key: %s; predictions: %s.', columns, array_to_string(outputs, ', ')), hint = 'Name another with output =>.';
    end if;
    begin
      execute format('create table %s as select %s, null::%s as %I%s from %s with no data', name, columns, type, outputs[1],
                     case when cardinality(outputs) > 1 then format(', null::jsonb as %I', outputs[2]) else '' end, source);
      execute format('alter table %s add primary key (%s)', name, columns);
      return name::regclass;
    exception when unique_violation or duplicate_table then
      return null;
    end;
  end if;
  perform rafiki._check_all_target(source, target, key, outputs);
  return target;
end $$;

-- A condition on `alias`: its key is greater than $2. One row comparison cannot mix operators of several
-- schemas; then the condition is spelled out: the first columns are equal, and the next one is greater.
create or replace function rafiki._above(source regclass, key name[], alias text) returns text
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with k as (
    select t.place, t.operators, format('%I.%I', alias, t.name) as own, format('($2)[%s]::%s', t.place, t.type) as reached
    from rafiki._key(source, key, false) t
  )
  select format('($2 is null or %s)', case when count(distinct k.operators) = 1
    then format('row(%s) operator(%s.>) row(%s)', string_agg(k.own, ', ' order by k.place), min(k.operators),
                string_agg(k.reached, ', ' order by k.place))
    else string_agg((select format('(%s)', string_agg(format('%s operator(%s.%s) %s', e.own, e.operators,
                                                             case when e.place = k.place then '>' else '=' end, e.reached),
                                                      ' and ' order by e.place))
                     from k e where e.place <= k.place), ' or ' order by k.place) end)
  from k
$$;
