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
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_given('model', model is not null);
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
  perform rafiki._check_relation(source, may_be_temporary => true);
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

-- The version that answers now; none where a model has never been deployed.
create or replace function rafiki._answering_version(model text) returns table (id bigint, model_id bigint, version int)
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select v.id, v.model_id, v.version from rafiki.model m join rafiki.deployment d on d.model_id = m.id and d.state = 'ready'
  join rafiki.model_version v on v.id = d.version_id where m.name = model
$$;

-- An expression that says of an input whether the model was trained on it; null where that is not known, or not this role's to know.
create or replace function rafiki._trained_test(model text, input text, kind text) returns text
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((
    select case when cardinality(t.trained) < 262144 then known.test
                -- of many inputs those with the smallest hashes are remembered
                else format('case when %s operator(pg_catalog.<=) %s then %s end', known.hash, t.trained[262144], known.test) end
    from rafiki._answering_version(model) v join rafiki.trained_inputs t on t.model_id = v.model_id and t.version = v.version
    cross join lateral (select format('rafiki._input_hash(%s::pg_catalog.%s)', input, case kind when 'image' then 'bytea' else 'text' end) as hash) h
    cross join lateral (select h.hash, format('%s in (select pg_catalog.unnest(t.trained) from rafiki.trained_inputs t '
                                              'where t.model_id = %s and t.version = %s)', h.hash, v.model_id, v.version) as test) known
    where t.trained is not null), 'null::pg_catalog.bool')
$$;

-- How often the model says what for the labelled rows of a source, apart for those that it was trained on.
create or replace function rafiki._judged_rows(model text, source regclass, target name, feature name)
returns table (actual text, predicted text, trained boolean, row_count bigint)
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
    select p.carried ->> 0, p.prediction, (p.carried ->> 1)::boolean, count(*)
    from rafiki._predict_rows(
      model, (columns.task).input,
      format('select jsonb_build_array(%1$I::text, %4$s) as carried, %2$I as input from %3$s '
             'where %1$I is not null and %2$I is not null',
             columns.target, columns.feature, source,
             rafiki._trained_test(model, quote_ident(columns.feature), (columns.task).input))) p
    group by 1, 2, 3;
end $$;

create or replace function rafiki._confusion(model text, source regclass, target name, feature name)
returns table (actual text, predicted text, row_count bigint)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select r.actual, r.predicted, sum(r.row_count)::bigint from rafiki._judged_rows(model, source, target, feature) r
  group by 1, 2 order by 1, 2
$$;

create or replace function rafiki_confusion(
  model text, source regclass, target name default null, feature name default null
) returns table (actual text, predicted text, row_count bigint)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._confusion(model, source, target, feature) $$;

comment on function rafiki_confusion(text, regclass, name, name) is $$How often a model says which label for the rows of which. Rows with a null label or input are left out.

Arguments:
  model: name of a model that you own or were granted
  source: table or view with labelled rows
  target: its column of labels; found by type and name where one candidate is left
  feature: its column of texts or images; found likewise

Result: the label of the rows, the label that the model says, and of how many rows; in psql add \crosstabview

Errors:
  those of rafiki_evaluate
  42809: the model finds objects

Example:
  select * from rafiki_confusion('reviews_sentiment', 'test_reviews');$$;

-- Stops where there is nothing to measure by: a score of no rows would be null, which no comparison finds too low.
create or replace function rafiki._check_measurable(source regclass, rows bigint) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if rows = 0 then
    raise exception using errcode = 'no_data_found', message = format('%s has no row with a label and an input', source),
      detail = format('Role %s sees none.', current_user),
      hint = 'Give labelled rows, or name their columns with target => and feature =>.';
  end if;
end $$;

-- Says what of labelled rows the model cannot know, and what it knows by heart. `judged` is an array of {actual, predicted, trained, row_count}.
create or replace function rafiki._check_judged(model text, source regclass, judged jsonb) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  known constant text[] := (
    select c.classes from rafiki._answering_version(model) v join rafiki.version_classes c on c.id = v.id);
  counted record;
begin
  select coalesce(sum(r.row_count), 0) as rows, coalesce(sum(r.row_count) filter (where r.trained), 0) as trained,
         coalesce(sum(r.row_count) filter (where r.actual <> all (known)), 0) as strange,
         (select string_agg(format('"%s"', left(l.actual, 40)), ', ')
          from (select distinct s.actual from jsonb_to_recordset(judged) s (actual text) where s.actual <> all (known)
                order by 1 limit 5) l) as strangers
  into counted from jsonb_to_recordset(judged) r (actual text, predicted text, trained boolean, row_count bigint);
  perform rafiki._check_measurable(source, counted.rows::bigint);
  if counted.strange = counted.rows then
    raise exception using errcode = 'data_exception', message = format('no label of %s is a class of model "%s"', source, model),
      detail = format('Labels: %s. The model answers with %s%s.', counted.strangers,
                      (select string_agg(format('"%s"', left(c, 40)), ', ' order by n) from unnest(known[:5]) with ordinality u (c, n)),
                      case when cardinality(known) > 5 then ', …' else '' end),
      hint = 'Name the column of the labels with target =>, or translate them in a view.';
  elsif counted.strange > 0 then
    raise notice using message = format('%s of %s rows have a label that model "%s" does not know', counted.strange, counted.rows, model),
      detail = format('Such as %s.', counted.strangers), hint = 'They count as wrong.';
  end if;
  if counted.trained > 0 then
    raise notice using message = format('model "%s" was trained on %s of these %s rows', model, counted.trained, counted.rows),
      hint = 'It knows them by heart: judge it by rows that it has not seen.';
  end if;
end $$;

-- How many standard deviations to each side hold a normal variable with that probability.
create or replace function rafiki._z(confidence float8) returns float8
language plpgsql immutable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  return case confidence when 0.9 then 1.6448536269514722 when 0.95 then 1.959963984540054 when 0.99 then 2.5758293035489004
         else rafiki._no_confidence(confidence) end;
end $$;

create or replace function rafiki._no_confidence(confidence float8) returns float8
language plpgsql immutable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'invalid_parameter_value', message = 'confidence must be 0.9, 0.95 or 0.99',
    detail = format('It is %s.', coalesce(confidence::text, 'null')), hint = 'The default is 0.95.';
end $$;

-- Where a share lies, of which `hits` in `n` were seen (Wilson 1927): (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).
create or replace function rafiki._wilson(hits float8, n float8, z float8, out low float8, out high float8)
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select greatest(0, (w.middle - w.half) / w.scale), least(1, (w.middle + w.half) / w.scale)
  from (select hits / nullif(n, 0) + z * z / (2 * n) as middle, 1 + z * z / n as scale,
               z * sqrt(greatest(0, hits * (n - hits)) / (n * n * n) + z * z / (4 * n * n)) as half
        where n > 0) w
$$;

-- Accuracy and macro F1 of what was confused how often, with their intervals. F1 of a class is 2 TP / D with D = rows of it + rows said
-- to be of it; a class that occurs on neither side is none. Of the mean over r classes the delta method (Takahashi et al. 2022,
-- "Confidence interval for micro-averaged F1 and macro-averaged F1 scores") has the variance Σ n g², with n the rows of a cell and g the
-- derivative by it: 2 (D − 2 TP) / D² / r for a hit, −(2 TP/D² of the one class + that of the other) / r for an error.
create or replace function rafiki._class_scores(confusion jsonb, z float8)
returns table (metric text, value float8, low float8, high float8)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with cell as materialized (
         select c.actual, c.predicted, sum(c.row_count)::float8 as n
         from jsonb_to_recordset(confusion) c (actual text, predicted text, row_count bigint) group by 1, 2),
       class as materialized (
         select l.label, coalesce(sum(c.n) filter (where c.actual = c.predicted), 0) / 2 as tp, sum(c.n) as d
         from cell c cross join lateral (values (c.actual), (c.predicted)) l (label) where l.label is not null group by l.label),
       total as (select sum(c.n) as n, coalesce(sum(c.n) filter (where c.actual = c.predicted), 0) as hits from cell c),
       f1 as (select avg(2 * k.tp / k.d) as value, count(*)::float8 as r from class k),
       variance as (
         select sum(c.n * (case when c.actual = c.predicted then 2 * (a.d - 2 * a.tp) / a.d ^ 2
                                else 2 * a.tp / a.d ^ 2 + coalesce(2 * p.tp / p.d ^ 2, 0) end) ^ 2) as of_sum
         from cell c join class a on a.label = c.actual left join class p on p.label = c.predicted)
  select 'accuracy', t.hits / t.n, w.low, w.high from total t, rafiki._wilson(t.hits, t.n, z) w
  union all
  select 'macro_f1', f.value, greatest(0, f.value - z * sqrt(v.of_sum) / f.r), least(1, f.value + z * sqrt(v.of_sum) / f.r)
  from f1 f, variance v
$$;

create or replace function rafiki._class_metrics(model text, source regclass, target name, feature name, z float8)
returns table (metric text, value float8, low float8, high float8)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  judged jsonb;
  trained float8;
  unseen jsonb;
begin
  select coalesce(jsonb_agg(r), '[]'), sum(r.row_count) filter (where r.trained) * sum(r.row_count)
           / nullif(sum(r.row_count) filter (where r.trained is not null), 0),
         jsonb_agg(r) filter (where not r.trained)
  into judged, trained, unseen from rafiki._judged_rows(model, source, target, feature) r;
  perform rafiki._check_judged(model, source, judged);
  return query select 'rows', coalesce(sum(r.row_count), 0)::float8, null::float8, null::float8
    from jsonb_to_recordset(judged) r (row_count bigint);
  return query select * from rafiki._class_scores(judged, z);
  if trained > 0 then
    return query select 'rows_trained_on', round(trained::numeric)::float8, null::float8, null::float8;
    return query select s.metric || '_unseen', s.value, s.low, s.high from rafiki._class_scores(unseen, z) s where unseen is not null;
  end if;
end $$;

-- The labelled rows of a source with the details of their answers.
create or replace function rafiki._answered_rows(model text, source regclass, target name, feature name)
returns table (actual text, label text, probabilities jsonb)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  columns record := rafiki._model_columns(model, source, target, feature);
begin
  perform rafiki._check_has_classes(model);
  return query
    select p.carried #>> '{}', p.prediction::jsonb ->> 'label', p.prediction::jsonb -> 'probabilities'
    from rafiki._predict_rows(
      model, (columns.task).input,
      format('select to_jsonb(%1$I::text) as carried, %2$I as input from %3$s where %1$I is not null and %2$I is not null',
             columns.target, columns.feature, source), 'details') p;
end $$;

-- Of each class: precision and recall (Wilson), F1 with the variance 4 TP (D − 2 TP)(D − TP) / D⁴ (the delta method, as above), and
-- the area under the ROC curve against all other rows, in which equal probabilities share their ranks; its variance as Hanley and
-- McNeil 1982 have it: (A(1−A) + (n−1)(A/(2−A) − A²) + (m−1)(2A²/(1+A) − A²)) / nm, n rows of the class and m others. `details` is
-- an array of {actual, label, probabilities}.
create or replace function rafiki._class_report(details jsonb, z float8)
returns table (label text, row_count bigint, metric text, value float8, low float8, high float8)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with answer as materialized (
         select r.* from jsonb_to_recordset(details) r (actual text, label text, probabilities jsonb)),
       class as materialized (
         select l.label, count(*) filter (where l.is_actual) as n, count(*) filter (where not l.is_actual)::float8 as said,
                count(*) filter (where l.is_actual and a.actual = a.label)::float8 as tp
         from answer a cross join lateral (values (a.actual, true), (a.label, false)) l (label, is_actual) group by l.label),
       total as (select count(*) as n from answer),
       ranked as (
         select p.key as label, a.actual = p.key as is_own,
                rank() over w + (count(*) over (partition by p.key, p.value) - 1) / 2.0::float8 as rank
         from answer a cross join lateral jsonb_each(a.probabilities) p
         where (select count(*) from jsonb_object_keys((select f.probabilities from answer f limit 1))) <= 100
         window w as (partition by p.key order by p.value::float8)),
       area as (
         select r.label, c.n, t.n - c.n as m, (sum(r.rank) filter (where r.is_own) - c.n * (c.n + 1) / 2.0) / (c.n * (t.n - c.n)) as a
         from ranked r join class c on c.label = r.label cross join total t where c.n > 0 and c.n < t.n group by r.label, c.n, t.n),
       measured as (
         select c.label, 1 as place, 'precision' as metric, c.tp / nullif(c.said, 0) as value, w.low, w.high
         from class c left join lateral rafiki._wilson(c.tp, c.said, z) w on true
         union all
         select c.label, 2, 'recall', c.tp / nullif(c.n, 0), w.low, w.high
         from class c left join lateral rafiki._wilson(c.tp, c.n, z) w on true
         union all
         select c.label, 3, 'f1', f.value, greatest(0, f.value - f.half), least(1, f.value + f.half)
         from class c cross join lateral (select c.n + c.said as d) d
         cross join lateral (select 2 * c.tp / d.d as value,
                                    z * sqrt(4 * c.tp * (d.d - 2 * c.tp) * (d.d - c.tp) / d.d ^ 4) as half) f
         union all
         select a.label, 4, 'auc', a.a, greatest(0, a.a - h.half), least(1, a.a + h.half)
         from area a cross join lateral (
           select z * sqrt(greatest(0, a.a * (1 - a.a) + (a.n - 1) * (a.a / (2 - a.a) - a.a ^ 2)
                                       + (a.m - 1) * (2 * a.a ^ 2 / (1 + a.a) - a.a ^ 2)) / (a.n * a.m)) as half) h)
  select m.label, c.n, m.metric, m.value, m.low, m.high from measured m join class c on c.label = m.label
  order by m.label, m.place
$$;

create or replace function rafiki._report(model text, source regclass, target name, feature name, confidence float8)
returns table (label text, row_count bigint, metric text, value float8, low float8, high float8)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  z constant float8 := rafiki._z(confidence);
  details constant jsonb := (select coalesce(jsonb_agg(r), '[]') from rafiki._answered_rows(model, source, target, feature) r);
begin
  perform rafiki._check_judged(model, source, (
    select coalesce(jsonb_agg(jsonb_build_object('actual', d.actual, 'row_count', 1)), '[]')
    from jsonb_to_recordset(details) d (actual text)));
  return query select * from rafiki._class_report(details, z);
end $$;

create or replace function rafiki_class_report(
  model text, source regclass, target name default null, feature name default null, confidence float8 default 0.95
) returns table (label text, row_count bigint, metric text, value float8, low float8, high float8)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._report(model, source, target, feature, confidence) $$;

comment on function rafiki_class_report(text, regclass, name, name, float8) is $$How well a model knows each class: precision, recall, F1 and the area under the ROC curve (auc, up to 100 classes) on
labelled rows.

Arguments:
  model: name of a model that you own or were granted
  source: table or view with labelled rows, which the model has not seen
  target: its column of labels; found by type and name where one candidate is left
  feature: its column of texts or images; found likewise
  confidence: 0.9, 0.95 or 0.99: how often the intervals hold what they say

Result: of each class its rows, and of each metric the value with the ends of its interval

Errors:
  those of rafiki_confusion

Example:
  select * from rafiki_class_report('reviews_sentiment', 'test_reviews');$$;
