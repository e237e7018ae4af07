-- Which features a model's answers depend on: permutation importance (Breiman 2001, Random
-- Forests, section 10; Fisher et al. 2019, All Models are Wrong, but Many are Useful). It
-- asks the deployed model, so it is the same for all families and for ensembles.

-- The object of the columns of a row "d", with one of them from the row "p", as text.
create or replace function rafiki._swapped_input(features name[], swapped int) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select rafiki._row_object(string_agg(format('%s.%I', case n when swapped then 'p' else 'd' end, f), ', ' order by n))
  from unnest(features) with ordinality u (f, n)
$$;

-- A query for the rows of a sample as they are (place 0, round 0), and for each feature and round once
-- more with the values of that feature in the order of other rows: for _predict_rows(), which carries
-- place, round and target. Each round moves them by as many rows more, and none by 0: there are fewer
-- rounds than rows. Rows that the model was trained on are drawn only if others are too few.
create or replace function rafiki._swapped_rows(
  model text, source regclass, target name, task rafiki.task, features name[], kinds text[], most_rows int, rounds int
) returns text
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  looked_at constant int := 20; -- times as many rows as are drawn
  columns constant text := (select string_agg(quote_ident(f), ', ' order by n) from unnest(features) with ordinality u (f, n));
  named constant text := format('%I::pg_catalog.text', target);
begin
  return format(
    'with looked as materialized (select %1$s as "rafiki target", %2$s from %3$s where %1$s is not null%4$s order by pg_catalog.random() limit %5$s), '
    'drawn as materialized (select pg_catalog.row_number() over () as "rafiki row", pg_catalog.count(*) over () as "rafiki rows", s.* '
      'from (select * from looked order by coalesce(%6$s, false), pg_catalog.random() limit %7$s) s) '
    'select pg_catalog.jsonb_build_array(0, 0, d."rafiki target") as carried, %8$s as input from drawn d',
    named, columns, source, case when task.output = 'number' then ' and ' || rafiki._number_test(named) end, looked_at * most_rows,
    rafiki._trained_test(model, rafiki._input_expression(features, kinds, source), task.input), most_rows, rafiki._swapped_input(features, 0))
  || (select string_agg(format(
      ' union all select pg_catalog.jsonb_build_array(%1$s, r.round, d."rafiki target"), %2$s '
      'from drawn d cross join lateral (select least(%3$s, d."rafiki rows" - 1)) m (rounds) cross join pg_catalog.generate_series(1, m.rounds) r (round) '
      'join drawn p on p."rafiki row" = 1 + (d."rafiki row" - 1 + r.round * (d."rafiki rows" / (m.rounds + 1))) %% d."rafiki rows"',
      n, rafiki._swapped_input(features, n), rounds), '' order by n) from generate_series(1, cardinality(features)) n);
end $$;

-- How good the answers of each round are: the share of right classes, or R².
create or replace function rafiki._swapped_scores(model text, query text, is_number boolean)
returns table (place int, round int, score float8, row_count bigint)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select (p.carried ->> 0)::int, (p.carried ->> 1)::int,
         case when is_number then (
           select e.value from rafiki._number_errors(array_agg(case when is_number then rafiki._number_of(p.carried ->> 2) end),
                                                     array_agg(case when is_number then p.prediction::float8 end)) e where e.metric = 'r2')
         else avg((p.carried ->> 2 = p.prediction)::int) end, count(*)
  from rafiki._predict_rows(model, 'columns', query) p group by 1, 2
$$;

create or replace function rafiki._feature_importance(model text, source regclass, target name, rounds int)
returns table (feature text, importance float8, spread float8, plot text)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1 -- as readers: the same texts, and so the same hashes
as $$
declare
  most_answers constant int := 200000;
  most_rows constant int := 2000;
  least_rows constant int := 20;
  most_features constant int := 200; -- the query has an expression for each pair
  width constant int := 24;
  columns record;
  reads record;
  whole record;
  scores jsonb;
begin
  perform rafiki._check_given('model', model is not null);
  perform rafiki._model_key(model);
  select r.features, r.kinds into reads from rafiki._model_reads(model) r;
  if reads.kinds is null then
    raise exception using errcode = 'wrong_object_type', message = format('model "%s" reads one input, not several columns', model),
      hint = 'Importance compares columns with each other.';
  elsif rounds is null or rounds not between 1 and 100 then
    raise exception using errcode = 'invalid_parameter_value', message = 'rounds must be between 1 and 100',
      detail = format('It is %s.', coalesce(rounds::text, 'null')), hint = 'The default is 5.';
  elsif cardinality(reads.features) > most_features then
    raise exception using errcode = 'program_limit_exceeded', message = format('model "%s" reads too many columns', model),
      detail = format('They are %s; the maximum is %s.', cardinality(reads.features), most_features),
      hint = 'Train a model of fewer columns: features => ''{…}''.';
  end if;
  source := coalesce(source, (
    select coalesce(s.validation_source, s.source) from rafiki._answering_version(model) v join rafiki.model_version w on w.id = v.id
    join rafiki.study s on s.id = w.study_id));
  if source is null then
    raise exception using errcode = 'undefined_table', message = format('the rows that model "%s" was scored on are not known', model),
      detail = 'They are those of its study, which another role may have made, or which was dropped.', hint = 'Name labelled rows: source => ''…''.';
  end if;
  columns := rafiki._model_columns(model, source, target, null);
  select jsonb_agg(s) into scores from rafiki._swapped_scores(model, rafiki._swapped_rows(
    model, source, columns.target, columns.task, reads.features, reads.kinds,
    greatest(least_rows, least(most_rows, most_answers / (rounds * cardinality(reads.features)))), rounds), (columns.task).output = 'number') s;
  select s.score, s.row_count into whole from jsonb_to_recordset(scores) s (place int, score float8, row_count bigint) where s.place = 0;
  if coalesce(whole.row_count, 0) < least_rows then
    raise exception using errcode = 'no_data_found', message = format('%s has too few labelled rows', source),
      detail = format('It has %s; the minimum is %s.', coalesce(whole.row_count, 0), least_rows), hint = 'Name another table with source =>.';
  end if;
  raise notice '% of % rows of %: %', case (columns.task).output when 'number' then 'r2' else 'accuracy' end, whole.row_count, source,
    round(whole.score::numeric, 4);
  return query
    select m.feature, round(m.importance::numeric, 4)::float8, round(m.spread::numeric, 4)::float8,
           repeat('#', greatest(0, round(width * m.importance / nullif(max(m.importance) over (), 0)))::int)
    from (select reads.features[s.place]::text as feature, avg(whole.score - s.score) as importance,
                 coalesce(stddev_samp(s.score), 0) as spread
          from jsonb_to_recordset(scores) s (place int, score float8) where s.place > 0 group by s.place) m
    order by m.importance desc, m.feature;
end $$;

create or replace function rafiki_feature_importance(
  model text, source regclass default null, target name default null, rounds int default 5
) returns table (feature text, importance float8, spread float8, plot text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._feature_importance(model, source, target, rounds) $$;

comment on function rafiki_feature_importance(text, regclass, name, int) is $$Which columns a model's answers depend on: by how much its accuracy, or R² of numbers, falls if the values of a column are
exchanged between rows (permutation importance). At most 2,000 rows are drawn, if possible rows that the model was not
trained on. Of columns that say the same, each alone seems unimportant. A notice has the score of the rows as they are.

Arguments:
  model: name of a model of a task tabular_… that you own or were granted
  source: table or view with labelled rows; default: the validation_source or the source of the study that made the model
  target: its column of labels or numbers; default: that of the study, or the only candidate
  rounds: how often each column is exchanged, but less often than there are rows; more rounds make the mean more exact

Result: for each column by how much the score falls on average (negative: by chance), the standard deviation over the
  rounds, and a bar

Errors:
  those of rafiki_evaluate
  42809: the model reads one input
  42P01: the study is not yours, so its rows are not known
  P0002: fewer than 20 labelled rows
  22023: an unsupported number of rounds
  54000: the model reads more than 200 columns

Example:
  select * from rafiki_feature_importance('houses_tabular_regression');$$;
