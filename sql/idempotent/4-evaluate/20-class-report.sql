-- Scores of a model and of each of its classes, with their intervals.

-- Raises an error if there are no rows: the score would be null, and no comparison would find that too low.
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

-- Tells the user how many rows have a label that the model does not know, and how many the model was
-- trained on, which it returns. `evaluated` is an array of {actual, predicted, trained, row_count}.
create or replace function rafiki._check_evaluated(model text, source regclass, evaluated jsonb) returns bigint
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  known constant text[] := (
    select c.classes from rafiki._answering_version(model) v join rafiki.version_classes c on c.id = v.id);
  counted record;
begin
  select coalesce(sum(r.row_count), 0) as rows, coalesce(sum(r.row_count) filter (where r.trained), 0) as trained,
         coalesce(sum(r.row_count) filter (where r.trained is not null), 0) as known,
         coalesce(sum(r.row_count) filter (where r.actual <> all (known)), 0) as strange,
         (select string_agg(format('"%s"', left(l.actual, 40)), ', ')
          from (select distinct s.actual from jsonb_to_recordset(evaluated) s (actual text) where s.actual <> all (known)
                order by 1 limit 5) l) as strangers
  into counted from jsonb_to_recordset(evaluated) r (actual text, predicted text, trained boolean, row_count bigint);
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
  return rafiki._tell_trained(model, counted.trained::bigint, counted.known::bigint, counted.rows::bigint);
end $$;

-- The two-sided quantile of the standard normal distribution.
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

-- The Wilson score interval (1927) of a share, from `hits` in `n`
-- observations: (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).
create or replace function rafiki._wilson(hits float8, n float8, z float8, out low float8, out high float8)
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select greatest(0, (w.middle - w.half) / w.scale), least(1, (w.middle + w.half) / w.scale)
  from (select hits / nullif(n, 0) + z * z / (2 * n) as middle, 1 + z * z / n as scale,
               z * sqrt(greatest(0, hits * (n - hits)) / (n * n * n) + z * z / (4 * n * n)) as half
        where n > 0) w
$$;

-- Accuracy and macro F1 of a confusion matrix, with confidence intervals. The F1 of a class is 2 TP / D, where D
-- is the number of its actual rows plus the number of its predicted rows; a class with neither is not counted.
-- For the mean over r classes the delta method (Takahashi et al. 2022, "Confidence interval for micro-averaged F1
-- and macro-averaged F1 scores") gives the variance Σ n g², where n is the count of a cell and g the derivative
-- by it: 2 (D − 2 TP) / D² / r for a hit, −(2 TP/D² of the one class + that of the other) / r for an error.
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
  most_classes constant int := 100; -- of which all probabilities are fetched
  evaluated jsonb;
  scores jsonb;
  trained bigint;
  unseen jsonb;
begin
  if (select cardinality(c.classes) between 2 and most_classes
      from rafiki._answering_version(model) v join rafiki.version_classes c on c.id = v.id) then
    select (jsonb_agg(s.evaluated) filter (where s.metric is null)) -> 0, jsonb_agg(s) filter (where s.metric is not null)
    into evaluated, scores from rafiki._probability_scores(model, source, target, feature, z) s;
  else
    select coalesce(jsonb_agg(r), '[]') into evaluated from rafiki._evaluated_rows(model, source, target, feature) r;
  end if;
  trained := rafiki._check_evaluated(model, source, evaluated);
  select jsonb_agg(r) filter (where not r.trained) into unseen
  from jsonb_to_recordset(evaluated) r (actual text, predicted text, trained boolean, row_count bigint);
  return query select 'rows', coalesce(sum(r.row_count), 0)::float8, null::float8, null::float8
    from jsonb_to_recordset(evaluated) r (row_count bigint);
  return query select * from rafiki._class_scores(evaluated, z);
  return query select s.metric, s.value, s.low, s.high
    from jsonb_to_recordset(scores) s (suffix text, metric text, value float8, low float8, high float8) where s.suffix = '';
  if trained > 0 then
    return query select 'rows_trained_on', trained::float8, null::float8, null::float8;
    return query select s.metric || '_unseen', s.value, s.low, s.high from rafiki._class_scores(unseen, z) s where unseen is not null;
    return query select s.metric || s.suffix, s.value, s.low, s.high
      from jsonb_to_recordset(scores) s (suffix text, metric text, value float8, low float8, high float8) where s.suffix <> '';
  end if;
end $$;

-- The labelled rows of a source, each with the predicted label and probabilities.
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
      format('select to_jsonb(r.actual) as carried, r.input from (%s) r',
             rafiki._labelled_query(source, columns.target, columns.input, (columns.task).input)), 'details') p;
end $$;

-- For each class: precision and recall with Wilson intervals; F1 with the variance 4 TP (D − 2 TP)(D − TP) / D⁴
-- (delta method, as above); and the area A under the ROC curve against all other rows, with mean ranks for
-- equal probabilities. Its variance (Hanley and McNeil 1982) is (A(1−A) + (n−1)(A/(2−A) − A²) + (m−1)(2A²/(1+A)
-- − A²)) / nm, for n rows of the class and m others. `details` is an array of {actual, label, probabilities}.
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
  perform rafiki._check_evaluated(model, source, (
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

comment on function rafiki_class_report(text, regclass, name, name, float8) is $$How well a model recognises each class: precision, recall, F1 and the area under the ROC curve (auc, up to 100 classes)
on labelled rows.

Arguments:
  model: name of a model that you own or were granted
  source: table or view with labelled rows, which the model has not seen
  target: its column of labels; default: the only candidate by type and name
  feature: its column of texts or images; default: the only candidate; a model of several columns reads them by name
  confidence: the confidence level of the intervals: 0.9, 0.95 or 0.99

Result: for each class its number of rows, and each metric with the ends of its confidence interval

Errors:
  those of rafiki_confusion

Example:
  select * from rafiki_class_report('reviews_sentiment', 'test_reviews');$$;
