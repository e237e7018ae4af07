-- How far the numbers of a model are off.

-- R², RMSE and MAE of pairs of numbers, with intervals of z standard errors; of one pair there are none. R² is
-- null if all actual numbers are the same. The delta method: what a row contributes to 1 - R² = Σe²/Σd² is (e²
-- - (1 - R²) d²) / mean d², with d the distance to the mean; the interval of an RMSE is that of its square.
create or replace function rafiki._number_errors(actual float8[], predicted float8[], z float8 default 0)
returns table (metric text, value float8, low float8, high float8)
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with pair as materialized (
         select (p.actual - p.predicted) ^ 2 as square, abs(p.actual - p.predicted) as error, (p.actual - avg(p.actual) over ()) ^ 2 as spread
         from rows from (unnest(actual), unnest(predicted)) p (actual, predicted)),
       mean as materialized (
         select avg(p.square) as square, avg(p.error) as error, nullif(avg(p.spread), 0) as spread, stddev_samp(p.square) as squares_differ,
                stddev_samp(p.error) as errors_differ, z / sqrt(count(*)) as width from pair p),
       share as (select m.square / m.spread as unexplained, stddev_samp(p.square - m.square / m.spread * p.spread) / m.spread as differ
                 from pair p cross join mean m group by m.square, m.spread)
  select s.metric, s.value, s.low, s.high from mean m cross join share u
  cross join lateral (values
    ('r2', 1 - u.unexplained, 1 - u.unexplained - m.width * u.differ, least(1, 1 - u.unexplained + m.width * u.differ)),
    ('rmse', sqrt(m.square), sqrt(greatest(0, m.square - m.width * m.squares_differ)), sqrt(m.square + m.width * m.squares_differ)),
    ('mae', m.error, greatest(0, m.error - m.width * m.errors_differ), m.error + m.width * m.errors_differ)) s (metric, value, low, high)
$$;

-- Tells the user how many targets are no numbers that a model can learn; an error if all are.
create or replace function rafiki._check_targets(source regclass, target name, is_given text) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  is_number constant text := rafiki._number_test(format('%I::text', target));
  counted record;
begin
  execute format('select count(*) as rows, count(*) filter (where not is_number) as strange, '
                 'min(left(text, 40)) filter (where not is_number) as example '
                 'from (select %1$I::text as text, %2$s as is_number from %3$s where %1$I is not null and %4$s) t',
                 target, is_number, source, is_given) into counted;
  perform rafiki._check_measurable(source, counted.rows);
  if counted.strange = counted.rows then
    raise exception using errcode = 'data_exception', message = format('no target of %s is a number', source),
      detail = format('"%s" is "%s", for example.', target, counted.example), hint = 'Name the column of numbers with target =>, or cast it in a view.';
  elsif counted.strange > 0 then
    raise notice using message = format('%s of %s rows have a target that is no number', counted.strange, counted.rows),
      detail = format('Such as "%s".', counted.example), hint = 'They are left out.';
  end if;
end $$;

create or replace function rafiki._number_metrics(model text, source regclass, target name, feature name, z float8)
returns table (metric text, value float8, low float8, high float8)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1 -- as readers: the same texts, and so the same hashes
as $$
declare
  columns record := rafiki._model_columns(model, source, target, feature);
  found record;
  trained bigint;
begin
  perform rafiki._check_targets(source, columns.target, rafiki._given_test((columns.task).input = 'columns', columns.input));
  select array_agg(a.actual) as actual, array_agg(a.predicted) as predicted,
         array_agg(a.actual) filter (where not a.trained) as unseen_actual,
         array_agg(a.predicted) filter (where not a.trained) as unseen_predicted,
         count(*) as rows, count(*) filter (where a.trained) as trained, count(a.trained) as known
  into found
  from rafiki._predict_rows(
    model, (columns.task).input,
    format('select jsonb_build_array(rafiki._number_of(r.actual), %s) as carried, r.input from (%s) r where %s',
           rafiki._trained_test(model, 'r.input', (columns.task).input),
           rafiki._labelled_query(source, columns.target, columns.input, (columns.task).input), rafiki._number_test('r.actual'))) p
  cross join lateral (select (p.carried ->> 0)::float8 as actual, p.prediction::float8 as predicted, (p.carried ->> 1)::boolean as trained) a;
  return query select 'rows', found.rows::float8, null::float8, null::float8;
  return query select * from rafiki._number_errors(found.actual, found.predicted, z);
  trained := rafiki._tell_trained(model, found.trained, found.known, found.rows);
  if trained > 0 then
    return query select 'rows_trained_on', trained::float8, null::float8, null::float8;
    return query select e.metric || '_unseen', e.value, e.low, e.high from rafiki._number_errors(found.unseen_actual, found.unseen_predicted, z) e;
  end if;
end $$;
