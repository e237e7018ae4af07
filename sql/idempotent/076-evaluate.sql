-- How well a model does on labelled rows, and predictions for whole queries. All is read with the caller's rights.

-- Predicts the rows of a query that gives (carried jsonb, input), their labels or details as `form` says: in parts, mostly one request each, that the server works on from
-- several ends, so that memory stays flat here and there. No pinned search path: the query is the caller's, and so is his. Hence
-- the qualified names, of types too: what is compiled once in a session serves all its roles. And no operator that pg_catalog does
-- not have for just these types.
create or replace function rafiki._predict_rows(model text, input_kind text, query text, form text default 'labels')
returns table (carried jsonb, prediction text)
language plpgsql stable parallel unsafe
as $$
declare
  part_rows constant int := 2048;
  part_bytes constant int := 4000000; -- some more, or an input that is longer, go in several requests
  asked pg_catalog.record;
  carried_part pg_catalog.jsonb[] := '{}';
  inputs pg_catalog.text[] := '{}';
  answers pg_catalog.text[];
  bytes bigint := 0;
begin
  for asked in execute pg_catalog.format(
    'select q.carried, %s as input from (%s) q',
    case input_kind when 'image' then 'rafiki._image_text(q.input)' else 'q.input::pg_catalog.text' end, query)
  loop
    carried_part := pg_catalog.array_append(carried_part, asked.carried);
    inputs := pg_catalog.array_append(inputs, asked.input);
    bytes := bytes + coalesce(pg_catalog.octet_length(asked.input), 0);
    if pg_catalog.cardinality(inputs) >= part_rows or bytes >= part_bytes then
      answers := rafiki._predict_part(model, input_kind, inputs, form); -- not below: the planner would run it, too
      return query select * from rows from (pg_catalog.unnest(carried_part), pg_catalog.unnest(answers));
      carried_part := '{}';
      inputs := '{}';
      bytes := 0;
    end if;
  end loop;
  if pg_catalog.cardinality(inputs) > 0 then
    answers := rafiki._predict_part(model, input_kind, inputs, form);
    return query select * from rows from (pg_catalog.unnest(carried_part), pg_catalog.unnest(answers));
  end if;
end $$;

-- Whether a model reads texts or images; an error where the caller may not use it.
create or replace function rafiki._input_kind(model text) returns text
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._model_key(model);
  return (select t.input from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model);
end $$;

-- Nobody is in a hurry, so that no answer is late, whatever the settings. Nulls stay null.
create or replace function rafiki._predict_part(model text, input_kind text, inputs text[], form text default 'labels') returns text[]
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  no_hurry constant text := e'1h\x1fanswer';
begin
  return rafiki._predict_many(model, input_kind = 'image', form, no_hurry, inputs);
end $$;

-- The task of a model, and the columns of a source: those that its last study had, where they are there, and else as
-- rafiki_train would find them.
create or replace function rafiki._model_columns(
  model text, source regclass, inout target name, inout feature name, out task rafiki.task
)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._model_key(model);
  perform rafiki._check_relation(source);
  select t.* into task from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model;
  if target is null and feature is null then
    select s.target, s.features[1] into target, feature
    from rafiki.study s
    where s.model = _model_columns.model and s.version is not null
      and (select count(*) from rafiki._source_columns(_model_columns.source) c where c.name in (s.target, s.features[1])) = 2
    order by s.id desc limit 1;
  end if;
  select c.target, c.feature into target, feature
  from rafiki._resolve_columns(source, task, target, array_remove(array[feature], null), 'feature => %L') c;
end $$;

-- How often the model says what for the labelled rows of a source.
create or replace function rafiki._confusion(model text, source regclass, target name, feature name)
returns table (actual text, predicted text, row_count bigint)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  columns record := rafiki._model_columns(model, source, target, feature);
begin
  if (columns.task).output <> 'label' then
    raise exception using errcode = 'wrong_object_type', message = format('model "%s" has no classes to confuse', model),
      detail = format('Its task is %s.', (columns.task).name),
      hint = 'Use rafiki_evaluate, which measures how well objects are found.';
  end if;
  return query
    select p.carried #>> '{}', p.prediction, count(*)
    from rafiki._predict_rows(
      model, (columns.task).input,
      format('select to_jsonb(%1$I::text) as carried, %2$I as input from %3$s where %1$I is not null and %2$I is not null',
             columns.target, columns.feature, source)) p
    group by 1, 2 order by 1, 2;
end $$;

create or replace function rafiki_confusion(
  model text, source regclass, target name default null, feature name default null
) returns table (actual text, predicted text, row_count bigint)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._confusion(model, source, target, feature) $$;

comment on function rafiki_confusion(text, regclass, name, name) is
  e'How often a model says which label for the rows of which: select * from rafiki_confusion(''reviews_sentiment'', ''test'') '
  '\\crosstabview. Rows with a null label or input are left out.';

create or replace function rafiki._class_metrics(model text, source regclass, target name, feature name)
returns table (metric text, value float8)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with confusion as materialized (select * from rafiki._confusion(model, source, target, feature)),
       class as (
         select l.label, sum(c.row_count) filter (where c.actual = c.predicted) as hits, sum(c.row_count) as counted
         from confusion c cross join lateral (values (c.actual), (c.predicted)) l (label)
         where l.label is not null
         group by l.label)
  select 'rows', coalesce(sum(c.row_count), 0)::float8 from confusion c
  union all
  select 'accuracy', sum(c.row_count) filter (where c.actual = c.predicted) / sum(c.row_count) from confusion c
  union all
  -- F1 of a class is 2 TP / (rows of it + rows said to be of it), the mean over classes; a hit stands in both
  select 'macro_f1', avg(coalesce(k.hits, 0) / k.counted) from class k
$$;
