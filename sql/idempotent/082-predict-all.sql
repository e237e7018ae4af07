-- Whole tables into other tables: part by part, each of them a transaction. The rows that the other table has are the only state: those
-- that it lacks are predicted, whoever was killed when. In one run the key goes up, so that no part looks at what earlier ones did.
-- What runs is the caller's: his rights, his path, his triggers. So the statement, which is made here, names everything with its schema.

-- A key of a relation, in the order of an index that has it: the primary key, or one of the columns named, all of them if `exactly`. Of each
-- column its type, and the schema of the operators that it is ordered by. No row: there is no such index.
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

-- Stops where the caller may not do with columns of a relation what he wants.
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

-- The key of a source, and the column that the model reads.
create or replace function rafiki._all_source(
  model text, source regclass, inout key name[], inout input name, out input_kind text
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
      detail = 'Without an index nobody can say which of its rows are predicted already.',
      hint = 'Make a table or a materialized view of it, with a unique index; or take the rows of rafiki_predict_query(model, query).';
  end if;
  foreach each in array coalesce(named, '{}') loop
    perform rafiki._check_column(source, each);
  end loop;
  key := (select array_agg(k.name order by k.place) from rafiki._key(source, named, false) k);
  if key is null then
    raise exception using errcode = 'invalid_table_definition',
      message = case when named is null then format('%s has no primary key', source)
                     else format('%s are no key of %s', array_to_string(named, ', '), source) end,
      detail = 'By their key it is known which rows are predicted already.',
      hint = format('Name the columns of a unique index, none of which may be null, with key => ''{…}'', or run: '
                    'alter table %s add primary key (…);', source);
  end if;
  perform rafiki._check_columns_rights(source, key, null);
  select t.* into task from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model;
  input_kind := task.input;
  input := rafiki._all_input(model, source, task, key, input);
end $$;

-- The column that a model reads, checked where it is named: that of its last study, or the one that is left.
create or replace function rafiki._all_input(model text, source regclass, task rafiki.task, key name[], named name) returns name
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  candidates name[] := array(select c.name from rafiki._task_columns(source, task) c where c.is_feature);
  learnt name := (select s.features[1] from rafiki.study s where s.model = _all_input.model and s.version is not null
                  order by s.id desc limit 1);
begin
  if named is not null then
    perform rafiki._check_column(source, named);
    if not named = any (candidates) then
      raise exception using errcode = 'datatype_mismatch', message = format('model "%s" does not read such a column', model),
        detail = (select format('Column "%s" has type %s.', c.name, c.type) from rafiki._source_columns(source) c where c.name = named),
        hint = format('Name a column of type %s.', case task.input when 'image' then 'bytea' else 'text' end);
    end if;
    return named;
  elsif learnt = any (candidates) then
    return learnt;
  end if;
  return rafiki._only_candidate(source, array(select c from unnest(candidates) c where not c = any (key)), 'input', 'input => %L',
                                nameable => cardinality(candidates) > 0);
end $$;

-- Stops where a table that is there cannot take predictions under this key.
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
      detail = 'Without one a row could get there twice.',
      hint = format('Run: alter table %s add primary key (%s);', target, (select string_agg(quote_ident(k), ', ') from unnest(key) k));
  end if;
  perform rafiki._check_columns_rights(target, key, key || outputs);
end $$;

-- The parts of a table's name, its schema first if it has one.
create or replace function rafiki._name_parts(name text) returns text[]
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  parts text[];
begin
  begin
    parts := parse_ident(name);
  exception when invalid_parameter_value then
    null;
  end;
  if (cardinality(parts) <= 2) is not true then
    raise exception using errcode = 'invalid_name', message = 'into_table is no name of a table',
      detail = format('It is "%s".', left(name, 80)),
      hint = 'Write it as in SQL: moods, public.moods, or with quotes where it needs some: "My Moods".';
  end if;
  return parts;
end $$;

-- The table that predictions go to: where it is not there it is made, with the columns of the key as the source has them. Null where
-- somebody else makes it at the same time, which a snapshot of later sees.
create or replace function rafiki._all_target(source regclass, target regclass, parts text[], key name[], outputs name[]) returns regclass
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
        detail = format('Schema: %s.', coalesce(parts[1], 'none of the search path')), hint = 'Name one that is there: into_table => ''public.…''.';
    elsif not has_schema_privilege(parts[1], 'create') then
      raise exception using errcode = 'insufficient_privilege', message = format('permission denied for schema %s', quote_ident(parts[1])),
        detail = format('Table %s is not there, and role %s may not make it: it lacks create.', name, current_user),
        hint = format('Let the owner run: grant create on schema %I to %I; or make the table with the columns %s, %s and a primary key of the first.',
                      parts[1], current_user, columns, array_to_string(outputs, ', '));
    elsif key && outputs then
      raise exception using errcode = 'duplicate_column', message = format('the key of %s has a column "%s"', source, outputs[1]),
        detail = format('Key: %s; predictions: %s.', columns, array_to_string(outputs, ', ')), hint = 'Name another with output =>.';
    end if;
    begin
      execute format('create table %s as select %s, null::text as %I%s from %s with no data', name, columns, outputs[1],
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

-- Whether the key of a row is above $2, as a condition on `alias`. Operators of several schemas stand in no comparison of rows: there, what is
-- alike may be of any length, and the column after it is above.
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

-- The statement that predicts the next part: $1 the model, $2 the key of the last row before it, as texts, null for none. It gives the key of
-- its own last row, and how many rows it has. A part has so many rows, or so many bytes of inputs and one input more. The key is compared in
-- the table that takes the predictions, too, or each part would look through those of all before it.
create or replace function rafiki._all_statement(
  source regclass, target regclass, key name[], input name, input_kind text, outputs name[]
) returns text
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with keys as (
    select string_agg(format('s.%I as k%s', k.name, k.place), ', ' order by k.place) as selected,
           string_agg(format('t.%1$I operator(%2$s.=) s.%1$I', k.name, k.operators), ' and ' order by k.place) as same,
           string_agg(format('s.%I', k.name), ', ' order by k.place) as own,
           string_agg(quote_ident(k.name), ', ' order by k.place) as names,
           string_agg(format('c.k%s', k.place), ', ' order by k.place) as taken,
           string_agg(format('c.k%s::pg_catalog.text', k.place), ', ' order by k.place) as texts
    from rafiki._key(source, key, false) k
  )
  select format($sql$
    with head as materialized (
      select %1$s, s.%2$I%10$s as input from %3$s s
      where %4$s and not exists (select from %5$s t where %6$s and %18$s)
      order by %7$s limit 8192
    ), chunk as materialized (
      select * from (
        select h.*, pg_catalog.row_number() over w as place,
               pg_catalog.sum(coalesce(pg_catalog.octet_length(h.input), 0)) over w - coalesce(pg_catalog.octet_length(h.input), 0) as before
        from head h window w as (order by %8$s rows unbounded preceding)) c
      where c.before < 4000000
    ), answered as materialized (
      select rafiki._predict_part($1, %9$L, pg_catalog.array_agg(%17$s order by c.place), %11$L) as answers from chunk c having pg_catalog.count(*) > 0
    ), put as (
      insert into %5$s (%12$s)
      select %13$s from chunk c join (
        select u.answer, u.place from answered a, pg_catalog.unnest(a.answers) with ordinality u (answer, place)) a using (place)
      %14$s
      on conflict (%15$s) do nothing
    )
    select (select array[%16$s] from chunk c order by c.place desc limit 1), (select pg_catalog.count(*) from chunk)$sql$,
    k.selected, input, source, rafiki._above(source, key, 's'), target, k.same, k.own, replace(k.taken, 'c.', 'h.'), input_kind,
    case input_kind when 'image' then '' else '::pg_catalog.text' end,
    case when cardinality(outputs) > 1 then 'details' else 'labels' end,
    k.names || (select string_agg(', ' || quote_ident(o), '' order by n) from unnest(outputs) with ordinality u (o, n)),
    k.taken || case when cardinality(outputs) > 1 then ', d.label, d.probabilities' else ', a.answer' end,
    case when cardinality(outputs) > 1
         then 'left join lateral rafiki._label_and_probabilities(a.answer::pg_catalog.jsonb) d on true' else '' end,
    k.names, k.texts, case input_kind when 'image' then 'rafiki._image_text(c.input)' else 'c.input' end, rafiki._above(source, key, 't'))
  from keys k
$$;

-- What predicting all comes down to: the statement of the next part. Null where it cannot be said yet, as _all_target().
create or replace function rafiki._begin_all(
  model text, source regclass, target regclass, parts text[], input name, output name, key name[], with_probabilities boolean
) returns text
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  outputs constant name[] := array_remove(array[output, case when with_probabilities then 'probabilities' end], null);
  input_kind text;
begin
  if output is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'output must not be null', hint = 'Name a column for the predictions.';
  elsif with_probabilities then
    perform rafiki._check_has_classes(model);
  end if;
  select s.key, s.input, s.input_kind into key, input, input_kind from rafiki._all_source(model, source, key, input) s;
  target := rafiki._all_target(source, target, parts, key, outputs);
  return case when target is not null then rafiki._all_statement(source, target, key, input, input_kind, outputs) end;
end $$;

-- A line of at most 70 characters: psql puts NOTICE before it. How many rows there are is known as well as the table's statistics are.
create or replace function rafiki._all_progress(source regclass, done bigint, since timestamptz) returns text
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select format('%s rows%s, %s a second', done, case when c.reltuples > done then format(' of about %s', c.reltuples::bigint) else '' end,
                round(done / greatest(0.001, extract(epoch from clock_timestamp() - since))))
  from (select max(c.reltuples) as reltuples from pg_class c where c.oid = source) c
$$;

-- No SET clause here: it would forbid COMMIT; see rafiki_train_wait.
create or replace procedure rafiki_predict_all(
  model text, source_table regclass, into_table text, input name default null, output name default 'prediction',
  key name[] default null, with_probabilities boolean default false
)
language plpgsql
as $$
declare
  statement pg_catalog.text;
  parts pg_catalog.text[];
  reached pg_catalog.text[];
  part_rows bigint;
  done bigint := 0;
  began constant pg_catalog.timestamptz := pg_catalog.clock_timestamp();
  told_at pg_catalog.timestamptz := began;
begin
  -- drivers that prepare a statement begin its transaction a moment before it
  if pg_catalog.statement_timestamp() - pg_catalog.now() > interval '100 ms' then
    raise exception using errcode = 'invalid_transaction_termination',
      message = 'rafiki_predict_all cannot run in a transaction block',
      detail = 'It commits part by part, so that what is done stays done.',
      hint = e'Call it outside of one; in psql, with \\set AUTOCOMMIT on.';
  elsif model is null or source_table is null or into_table is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'model, source_table and into_table must not be null',
      hint = 'For example: call rafiki_predict_all(''reviews_sentiment'', ''reviews'', ''moods'');';
  end if;
  parts := rafiki._name_parts(into_table);
  if pg_catalog.cardinality(parts) = 1 then
    parts := array[pg_catalog.current_schema()::pg_catalog.text, parts[1]];
  end if;
  for attempt in 1..3 loop
    statement := rafiki._begin_all(model, source_table, pg_catalog.to_regclass(into_table), parts, input, output, key, with_probabilities);
    exit when statement is not null;
    commit;
  end loop;
  if statement is null then
    raise exception using errcode = 'object_in_use', message = pg_catalog.format('table %s is made by others again and again', into_table),
      hint = 'Make it first, or call again when they are done.';
  end if;
  loop
    perform pg_catalog.set_config('datestyle', 'ISO', true), pg_catalog.set_config('extra_float_digits', '1', true); -- keys are kept as texts; until the end of the transaction
    execute statement into reached, part_rows using model, reached;
    exit when part_rows = 0;
    commit;
    done := done + part_rows;
    if pg_catalog.clock_timestamp() - told_at > interval '5 s' then
      raise notice '%', rafiki._all_progress(source_table, done, began);
      told_at := pg_catalog.clock_timestamp();
    end if;
  end loop;
  raise notice '%, all done', rafiki._all_progress(source_table, done, began);
end $$;

comment on procedure rafiki_predict_all is $$Predicts all rows of a table into another one, which is made if it is not there: it has the key of the first table and
the predictions. Every few thousand rows are committed; called again, after it was stopped or when there are new rows,
it predicts those that are not there yet. To predict all anew, empty the table.

Arguments:
  model: name of a model that you own or were granted
  source_table: the table to read
  into_table: name of the table for the predictions, with its schema where it is another
  input: the column of texts or images, where there are several
  output: name of the column for the predictions
  key: columns of a unique index; without it the primary key
  with_probabilities: adds the column probabilities, of type jsonb

Result: nothing; NOTICEs say how far it is

Errors:
  those of rafiki_predict
  2D000: it commits, so it cannot run in a transaction block
  22004: a null where a name is wanted
  42809: one of the two is no table
  42P16: one of the two has no such key
  42501: you may not read the one, or write the other
  42703: the second table lacks a column
  42701: the key has a column with the name of the predictions
  42804: columns of other types than are wanted
  22023: both are the same table
  3F000: no such schema

Example:
  call rafiki_predict_all('reviews_sentiment', 'reviews', 'moods');$$;
