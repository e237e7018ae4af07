-- Evaluating a model on labelled rows, and predictions for whole queries. All is read with the caller's rights.

-- Predicts the rows of a query that returns (carried jsonb, input): their labels or details, as `form` says. Works in
-- parts, most of them one request, so that memory stays bounded both here and in the server. No pinned search path,
-- because the caller's query needs the caller's path. Hence the qualified names, also of types, because a function is
-- compiled once per session for all its roles; and only operators that pg_catalog has for exactly these types.
create or replace function rafiki._predict_rows(model text, input_kind text, query text, form text default 'labels')
returns table (carried jsonb, prediction text)
language plpgsql stable parallel unsafe
as $$
declare
  part_rows constant int := 2048;
  part_bytes constant int := @part_bytes@; -- a part that exceeds this, or a longer input, takes several requests
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
      -- not within the query below, where the planner would evaluate it, too
      answers := rafiki._predict_part(model, input_kind, inputs, form);
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

-- What a model reads: texts, images or columns; an error if the caller may not use it.
create or replace function rafiki._input_kind(model text) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_given('model', model is not null);
  perform rafiki._model_key(model);
  return (select t.input from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model);
end $$;

-- The answers to a part's inputs, with a generous latency budget
-- whatever the settings say, so that none is overdue. A null stays null.
create or replace function rafiki._predict_part(model text, input_kind text, inputs text[], form text default 'labels') returns text[]
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  no_hurry constant text := e'1h\x1fanswer';
begin
  return rafiki._request_in_parts(model, input_kind = 'image', form, no_hurry, inputs);
end $$;

-- The task of a model, and the columns of a source: the target, and the expression of what the model
-- reads. They are those of the version that answers and of the model's last study if they exist,
-- otherwise inferred as in rafiki_train. A model of several columns always reads the same ones.
create or replace function rafiki._model_columns(
  model text, source regclass, inout target name, feature name, out input text, out task rafiki.task
)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  reads record;
  resolved record;
  learnt name;
begin
  perform rafiki._model_key(model);
  perform rafiki._check_relation(source, may_be_temporary => true);
  select t.* into task from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model;
  select r.features, r.kinds into reads from rafiki._model_reads(model) r;
  if task.input = 'columns' then
    if feature is not null then
      perform rafiki._refuse_feature(model, 'feature');
    end if;
    perform rafiki._check_read_columns(model, source, reads.features);
    learnt := (select t.target from rafiki._trained_columns(model) t);
    if target is null and learnt is not null and not exists (
      select from pg_attribute a where a.attrelid = source and a.attname = learnt and a.attnum > 0 and not a.attisdropped) then
      raise exception using errcode = 'undefined_column', message = format('%s has no column "%s", which model "%s" predicts', source, learnt, model),
        detail = 'Scores compare predictions with what is known.', hint = 'Name the column that has it with target =>, or give rows with it.';
    end if;
    target := rafiki._resolve_target(source, task, coalesce(target, learnt), null);
    input := rafiki._input_expression(reads.features, reads.kinds, source);
    return;
  elsif target is null and feature is null then
    select t.target, t.feature into target, feature from rafiki._trained_columns(model) t
    where (select count(*) from rafiki._source_columns(_model_columns.source) c where c.name in (t.target, t.feature)) = 2;
  end if;
  select c.target, c.features into resolved
  from rafiki._resolve_columns(source, task, target, array_remove(array[feature], null), 'feature => %L') c;
  target := resolved.target;
  input := quote_ident(resolved.features[1]);
end $$;

-- Raises an error for a table that lacks columns that a model reads, such as one of another model.
create or replace function rafiki._check_read_columns(model text, source regclass, features name[]) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  most constant int := 20;
  missing constant name[] := array(
    select f.name from unnest(features) with ordinality f (name, n)
    where not exists (select from pg_attribute a where a.attrelid = source and a.attname = f.name and a.attnum > 0 and not a.attisdropped) order by f.n);
  list constant text := array_to_string(features[:most], ', ') || case when cardinality(features) > most then format(' and %s more', cardinality(features) - most) else '' end;
  each name;
begin
  if cardinality(missing) > 0 then
    raise exception using errcode = 'undefined_column',
      message = format('%s has no column "%s", which model "%s" reads', source, missing[1], model),
      detail = format('It lacks %s of %s columns. The model reads %s.', cardinality(missing), cardinality(features), list),
      hint = 'Give a table or a view with these columns; names are matched exactly, upper and lower case too.';
  end if;
  foreach each in array features loop
    perform rafiki._check_column(source, each);
  end loop;
end $$;

-- Raises the error for a column that is named where a model reads several.
create or replace function rafiki._refuse_feature(model text, argument text) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'invalid_parameter_value', message = format('model "%s" reads several columns', model),
    detail = (select format('They are %s.', array_to_string(r.features, ', ')) from rafiki._model_reads(model) r),
    hint = format('Leave out %s =>; a view can rename columns.', argument);
end $$;

-- The target of the study of the deployed version, or else of the newest, and the
-- first column that it read; not visible to all roles that may use the model.
create or replace function rafiki._trained_columns(model text) returns table (target name, feature name)
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select s.target, s.features[1] from rafiki.model m join rafiki.model_version v on v.model_id = m.id join rafiki.study s on s.id = v.study_id
  left join rafiki.deployment d on d.version_id = v.id and d.state = 'ready'
  where m.name = _trained_columns.model order by d.id is null, v.version desc limit 1
$$;

-- What the deployed version of a model reads, or else the newest; columns in the order of its study.
create or replace function rafiki._model_reads(model text) returns table (features name[], kinds text[])
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select v.features, v.kinds from rafiki.model m join rafiki.model_version v on v.model_id = m.id
  left join rafiki.deployment d on d.version_id = v.id and d.state = 'ready'
  where m.name = model order by d.id is null, v.version desc limit 1
$$;

-- The deployed version of a model; no row if there is none.
create or replace function rafiki._answering_version(model text) returns table (id bigint, model_id bigint, version int)
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select v.id, v.model_id, v.version from rafiki.model m join rafiki.deployment d on d.model_id = m.id and d.state = 'ready'
  join rafiki.model_version v on v.id = d.version_id where m.name = model
$$;

-- An SQL expression for whether the model was trained on an input; its
-- value is null if that is unknown, or if the role may not know it.
create or replace function rafiki._trained_test(model text, input text, kind text) returns text
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((
    select case when cardinality(t.trained) < @max_trained@ then known.test
                -- of many inputs only those with the smallest hashes are stored
                else format('case when %s operator(pg_catalog.<=) %s then %s end', known.hash, t.trained[@max_trained@], known.test) end
    from rafiki._answering_version(model) v join rafiki.trained_inputs t on t.model_id = v.model_id and t.version = v.version
    cross join lateral (select format('rafiki._input_hash(%s::pg_catalog.%s)', input, case kind when 'image' then 'bytea' else 'text' end) as hash) h
    cross join lateral (select h.hash, format('%s in (select pg_catalog.unnest(t.trained) from rafiki.trained_inputs t '
                                              'where t.model_id = %s and t.version = %s)', h.hash, v.model_id, v.version) as test) known
    where t.trained is not null), 'null::pg_catalog.bool')
$$;

-- The query for the rows of a source with a label and an input. OFFSET
-- 0, so that an input that is used several times is built once.
create or replace function rafiki._labelled_query(source regclass, target name, input text, kind text) returns text
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  return format('select %1$I::text as actual, %2$s as input from %3$s where %1$I is not null and %4$s offset 0', target, input, source,
                rafiki._given_test(kind = 'columns', input));
end $$;

-- How many rows a model was trained on, of `rows` of which that is known
-- of `known`; tells the user if there are any. Null if none is known.
create or replace function rafiki._tell_trained(model text, trained bigint, known bigint, rows bigint) returns bigint
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  estimate constant bigint := round(trained::numeric * rows / nullif(known, 0));
begin
  if estimate > 0 then
    raise notice using message = format('model "%s" was trained on %s of these %s rows', model, estimate, rows),
      hint = 'Scores on these rows are too good: evaluate it on rows that it has not seen.';
  end if;
  return estimate;
end $$;

-- The labelled rows of a source, each with the prediction as `form` says, and whether the model was trained on it.
create or replace function rafiki._judged_rows(model text, source regclass, target name, feature name, form text)
returns table (actual text, prediction text, trained boolean)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1 -- as readers: the same texts, and so the same hashes
as $$
declare
  columns record := rafiki._model_columns(model, source, target, feature);
begin
  if (columns.task).output <> 'label' then
    raise exception using errcode = 'wrong_object_type', message = format('model "%s" does not predict classes', model),
      detail = format('Its task is %s.', (columns.task).name),
      hint = case (columns.task).output when 'boxes' then 'Use rafiki_evaluate, which measures how well objects are found.'
                                        else 'Use rafiki_evaluate, which measures how far its numbers are off.' end;
  end if;
  return query
    select p.carried ->> 0, p.prediction, (p.carried ->> 1)::boolean
    from rafiki._predict_rows(
      model, (columns.task).input,
      format('select jsonb_build_array(r.actual, %s) as carried, r.input from (%s) r', rafiki._trained_test(model, 'r.input', (columns.task).input),
             rafiki._labelled_query(source, columns.target, columns.input, (columns.task).input)), form) p;
end $$;

-- How often the model predicts each label for each actual label, counted separately for rows that it was trained on.
create or replace function rafiki._evaluated_rows(model text, source regclass, target name, feature name)
returns table (actual text, predicted text, trained boolean, row_count bigint)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select r.actual, r.prediction, r.trained, count(*) from rafiki._judged_rows(model, source, target, feature, 'labels') r group by 1, 2, 3
$$;

create or replace function rafiki._confusion(model text, source regclass, target name, feature name)
returns table (actual text, predicted text, row_count bigint)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select r.actual, r.predicted, sum(r.row_count)::bigint from rafiki._evaluated_rows(model, source, target, feature) r
  group by 1, 2 order by 1, 2
$$;

create or replace function rafiki_confusion(
  model text, source regclass, target name default null, feature name default null
) returns table (actual text, predicted text, row_count bigint)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._confusion(model, source, target, feature) $$;

comment on function rafiki_confusion(text, regclass, name, name) is $$The confusion matrix: how often a model predicts each label for rows of each label. Rows with a null label or input are
left out.

Arguments:
  model: name of a model that you own or were granted
  source: table or view with labelled rows
  target: its column of labels; default: the only candidate by type and name
  feature: its column of texts or images; default: the only candidate; a model of several columns reads them by name

Result: the label of the rows, the label that the model predicts, and the number of rows; in psql add \crosstabview

Errors:
  those of rafiki_evaluate
  42809: the model finds objects, or predicts numbers

Example:
  select * from rafiki_confusion('reviews_sentiment', 'test_reviews');$$;
