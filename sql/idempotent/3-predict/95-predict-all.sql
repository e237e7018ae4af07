-- rafiki_predict_all.

-- The statement that predicts the next part. $1 is the model; $2 the key of the last row before the
-- part, as texts, or null at the beginning. It returns the key of the part's last row and the number
-- of its rows. A part has at most 8192 rows, and its last input begins within part_bytes. The key is
-- compared in the target, too, because otherwise each part would scan the rows of all earlier ones.
create or replace function rafiki._all_statement(
  source regclass, target regclass, key name[], expression text, input_kind text, outputs name[]
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
      select %1$s, %2$s as input from %3$s s
      where %4$s and not exists (select from %5$s t where %6$s and %17$s)
      order by %7$s limit 8192
    ), chunk as materialized (
      select * from (
        select h.*, pg_catalog.row_number() over w as place,
               pg_catalog.sum(coalesce(pg_catalog.octet_length(h.input), 0)) over w - coalesce(pg_catalog.octet_length(h.input), 0) as before
        from head h window w as (order by %8$s rows unbounded preceding)) c
      where c.before < @part_bytes@
    ), answered as materialized (
      select rafiki._predict_part($1, %9$L, pg_catalog.array_agg(%16$s order by c.place), %10$L) as answers from chunk c having pg_catalog.count(*) > 0
    ), put as (
      insert into %5$s (%11$s)
      select %12$s from chunk c join (
        select u.answer, u.place from answered a, pg_catalog.unnest(a.answers) with ordinality u (answer, place)) a using (place)
      %13$s
      on conflict (%14$s) do nothing
    )
    select (select array[%15$s] from chunk c order by c.place desc limit 1), (select pg_catalog.count(*) from chunk)$sql$,
    k.selected, expression, source, rafiki._above(source, key, 's'), target, k.same, k.own, replace(k.taken, 'c.', 'h.'), input_kind,
    case when cardinality(outputs) > 1 then 'details' else 'labels' end,
    k.names || (select string_agg(', ' || quote_ident(o), '' order by n) from unnest(outputs) with ordinality u (o, n)),
    k.taken || case when cardinality(outputs) > 1 then format(', d.label%s, d.probabilities', o.cast) else format(', a.answer%s', o.cast) end,
    case when cardinality(outputs) > 1
         then 'left join lateral rafiki._label_and_probabilities(a.answer::pg_catalog.jsonb) d on true' else '' end,
    k.names, k.texts, case input_kind when 'image' then 'rafiki._image_text(c.input)' else 'c.input' end, rafiki._above(source, key, 't'))
  from keys k cross join lateral (
    -- a text is assigned, so that one that is too long is an error
    select coalesce((select format('::%s', format_type(a.atttypid, a.atttypmod)) from pg_attribute a join pg_type t on t.oid = a.atttypid
                     where a.attrelid = target and a.attname = outputs[1] and t.typcategory <> 'S'), '') as cast) o
$$;

-- Raises an error if a column cannot take the numbers that a model predicts.
create or replace function rafiki._check_takes_numbers(target regclass, output name) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  type constant regtype := (select a.atttypid from pg_attribute a where a.attrelid = target and a.attname = output);
begin
  if not exists (select from pg_type t where t.oid = type and (t.typcategory = 'S' or rafiki._base_type(t.oid) in (
      'real'::regtype, 'double precision'::regtype, 'numeric'::regtype))) then
    raise exception using errcode = 'datatype_mismatch', message = format('column "%s" of %s cannot hold predictions', output, target),
      detail = format('It has type %s, and the model predicts numbers with fractions.', type),
      hint = 'Make it real, double precision or numeric, or name another one with output =>.';
  end if;
end $$;

-- Checks the arguments and builds the statement that predicts the
-- next part; null if the target is not known yet (see _all_target).
create or replace function rafiki._begin_all(
  model text, source regclass, target regclass, parts text[], input name, output name, key name[], with_probabilities boolean
) returns text
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  outputs constant name[] := array_remove(array[output, case when with_probabilities then 'probabilities' end], null);
  input_kind text;
  expression text;
  has_numbers boolean;
begin
  if output is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'output must not be null', hint = 'Name a column for the predictions.';
  elsif with_probabilities then
    perform rafiki._check_has_classes(model);
  end if;
  select s.key, s.expression, s.input_kind into key, expression, input_kind from rafiki._all_source(model, source, key, input) s;
  has_numbers := (select t.output = 'number' from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model);
  target := rafiki._all_target(source, target, parts, key, outputs, case when has_numbers then 'double precision' else 'text' end);
  if target is not null and has_numbers then
    perform rafiki._check_takes_numbers(target, output);
  end if;
  return case when target is not null then rafiki._all_statement(source, target, key, expression, input_kind, outputs) end;
end $$;

-- The progress as a line of at most 70 characters, because psql puts
-- NOTICE before it. The number of rows is an estimate from statistics.
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
  reported_at pg_catalog.timestamptz := began;
begin
  -- a tolerance, because drivers that prepare a statement begin its transaction shortly before it
  if pg_catalog.statement_timestamp() - pg_catalog.now() > interval '100 ms' then
    raise exception using errcode = 'invalid_transaction_termination',
      message = 'rafiki_predict_all cannot run in a transaction block',
      detail = 'It commits after each part, so that finished work is kept.',
      hint = e'Call it outside of one; in psql, with \\set AUTOCOMMIT on.';
  elsif model is null or source_table is null or into_table is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'model, source_table and into_table must not be null',
      hint = 'For example: call rafiki_predict_all(''reviews_sentiment'', ''reviews'', ''moods'');';
  end if;
  parts := rafiki._name_parts('into_table', into_table);
  if pg_catalog.cardinality(parts) = 1 then
    parts := array[pg_catalog.current_schema()::pg_catalog.text, parts[1]];
  end if;
  for attempt in 1..3 loop
    statement := rafiki._begin_all(model, source_table, pg_catalog.to_regclass(into_table), parts, input, output, key, with_probabilities);
    exit when statement is not null;
    commit;
  end loop;
  if statement is null then
    raise exception using errcode = 'object_in_use', message = pg_catalog.format('table %s was created concurrently again and again', into_table),
      hint = 'Create it first, or call again when the other sessions are done.';
  end if;
  loop
    -- keys are passed as text
    perform pg_catalog.set_config('datestyle', 'ISO', true), pg_catalog.set_config('extra_float_digits', '1', true);
    execute statement into reached, part_rows using model, reached;
    exit when part_rows = 0;
    commit;
    done := done + part_rows;
    if pg_catalog.clock_timestamp() - reported_at > interval '5 s' then
      raise notice '%', rafiki._all_progress(source_table, done, began);
      reported_at := pg_catalog.clock_timestamp();
    end if;
  end loop;
  raise notice '%, all done', rafiki._all_progress(source_table, done, began);
end $$;

comment on procedure rafiki_predict_all is $$Predicts all rows of a table into another table, which has the key of the first table and the predictions; it is created
if it does not exist. Commits after every few thousand rows. Called again, after it was stopped or when there are new
rows, it predicts only the rows that are still missing. To predict all rows again, empty the table.

Arguments:
  model: name of a model that you own or were granted
  source_table: the table to read
  into_table: name of the table for the predictions, with its schema if that is not the current one
  input: the column of texts or images, if there are several candidates; a model of several columns reads them by name
  output: name of the column for the predictions; it is text, or double precision for numbers, if it is created
  key: columns of a unique index; default: the primary key
  with_probabilities: adds the column probabilities, of type jsonb

Result: nothing; NOTICEs report the progress

Errors:
  those of rafiki_predict
  2D000: it commits, so it cannot run in a transaction block
  22004: a name is null
  42809: one of the two is not a table
  42P16: one of the two lacks the key
  42501: you may not read the first table, or not write the second
  42703: the second table lacks a column
  42701: the key has a column with the name of the predictions
  42804: a column has the wrong type
  22023: both are the same table
  3F000: no such schema

Example:
  call rafiki_predict_all('reviews_sentiment', 'reviews', 'moods');$$;
