-- How far the numbers of a model are off.

-- R², RMSE and MAE of pairs of numbers. R² is null if all actual numbers are the same.
create or replace function rafiki._number_errors(actual float8[], predicted float8[]) returns table (metric text, value float8)
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with error as (
    select avg((p.actual - p.predicted) ^ 2) as squares, avg(abs(p.actual - p.predicted)) as absolute, var_pop(p.actual) as variance
    from rows from (unnest(actual), unnest(predicted)) p (actual, predicted))
  select m.metric, m.value from error e
  cross join lateral (values ('r2', 1 - e.squares / nullif(e.variance, 0)), ('rmse', sqrt(e.squares)), ('mae', e.absolute)) m (metric, value)
$$;

create or replace function rafiki._number_metrics(model text, source regclass, target name, feature name)
returns table (metric text, value float8)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  columns record := rafiki._model_columns(model, source, target, feature);
  found record;
begin
  select array_agg((p.carried ->> 0)::float8) as actual, array_agg(p.prediction::float8) as predicted,
         array_agg((p.carried ->> 0)::float8) filter (where not (p.carried ->> 1)::boolean) as unseen_actual,
         array_agg(p.prediction::float8) filter (where not (p.carried ->> 1)::boolean) as unseen_predicted,
         count(*) filter (where (p.carried ->> 1)::boolean) as trained
  into found
  from rafiki._predict_rows(
    model, (columns.task).input,
    format('select jsonb_build_array(%1$I::text, %4$s) as carried, %2$s as input from %3$s where %1$I is not null and %2$s is not null',
           columns.target, columns.input, source, rafiki._trained_test(model, columns.input, (columns.task).input))) p;
  perform rafiki._check_measurable(source, coalesce(cardinality(found.actual), 0));
  return query select 'rows', cardinality(found.actual)::float8;
  return query select * from rafiki._number_errors(found.actual, found.predicted);
  if found.trained > 0 then
    raise notice using message = format('model "%s" was trained on %s of these %s rows', model, found.trained, cardinality(found.actual)),
      hint = 'Scores on these rows are too good: evaluate it on rows that it has not seen.';
    return query select 'rows_trained_on', found.trained::float8;
    return query select e.metric || '_unseen', e.value from rafiki._number_errors(found.unseen_actual, found.unseen_predicted) e;
  end if;
end $$;
