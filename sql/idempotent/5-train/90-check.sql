-- rafiki_check: turns the statistics into findings.

-- The findings in the order in which to read them; each row fits into 80 columns in psql.
create or replace function rafiki._findings(request rafiki.study, facts jsonb)
returns table (finding text, detail text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with f as (
    select f.*, (select case t.input when 'columns' then 'row' else t.input end from rafiki.task t where t.name = request.task) as input
    from jsonb_to_record(facts) f (
      rows bigint, no_label bigint, no_input bigint, long_label bigint, used bigint, valid bigint, dropped bigint, bytes numeric,
      repeats bigint, classes bigint, most jsonb, single bigint, single_label text, "both" bigint, both_rows bigint, both_conflict bigint,
      both_examples jsonb, shared bigint, one_sided jsonb, conflict bigint, conflict_example text, majority text, shares jsonb, typos jsonb)
  ), line (place, finding, detail) as (
    select 1, 'rows', format('%s used: %s to train on, %s to validate on', f.used, f.used - f.valid, f.valid) from f
    union all select 2, 'left out', format('%s whose "%s" is null', f.no_label, left(request.target, 30)) from f where f.no_label > 0
    union all select 2, 'left out', format('%s whose "%s" is null', f.no_input, left(request.features[1], 30)) from f where f.no_input > 0
    union all select 2, case request.on_bad_row when 'skip' then 'left out' else 'bad rows' end,
                     format('%s with a label of more than @max_label_chars@ characters', f.long_label) from f where f.long_label > 0
    union all select 2, 'left out', format('%s to train on, whose %s is validated on', f.dropped, f.input) from f where f.dropped > 0
    union all select 3, 'classes', format('%s: %s', f.classes, (
        select string_agg(format('%s %s', rafiki._quoted(m ->> 'label', 14), m ->> 'n'), ', ') from jsonb_array_elements(f.most) m))
      from f where f.classes > 0
    union all select 4, 'few rows', 'there is nothing to learn' from f where f.used = 0
    union all select 4, 'few rows', 'one class only: there is nothing to learn' from f where f.classes = 1
    union all select 4, 'few rows', format('%s to validate on: scores mean next to nothing', f.valid) from f where f.used > 0 and f.valid < 30
    union all select 5, 'many classes', format('%s rows each on average: is "%s" a label?', round(f.used::numeric / f.classes, 1),
                                               left(request.target, 14)) from f where f.classes > 100 and f.used < 20 * f.classes
    union all select 6, 'one row', case f.single when 1 then format('class %s has one %s, which is never validated',
                                                                    rafiki._quoted(f.single_label, 16), f.input)
                                   else format('%s classes have one %s each, which is never validated', f.single, f.input) end
      from f where f.single > 0 and not rafiki._has_validation_rows(request)
    union all select 6, 'no overlap', 'no class is trained and validated on: no answer could be right'
      from f where f.used > 0 and f.shared = 0 and rafiki._has_validation_rows(request)
    union all
    select 6, case when s.is_valid then 'only scored' else 'only trained' end,
           format('%s %s, %s: %s', max(s.classes), case max(s.classes) when 1 then 'class' else 'classes' end,
                  case when s.is_valid then 'always wrong' else 'never scored' end,
                  string_agg(format('%s %s', rafiki._quoted(s.label, 14), s.n), ', ' order by s.place))
    from f, jsonb_to_recordset(f.one_sided) s (label text, n bigint, is_valid boolean, classes bigint, place bigint)
    where rafiki._has_validation_rows(request) group by s.is_valid
    union all select 7, 'typo?', format('%s (%s) looks like %s (%s)', rafiki._quoted(t ->> 'label', 16), t ->> 'n',
                                        rafiki._quoted(t ->> 'like_label', 16), t ->> 'like_n')
      from f, jsonb_path_query(f.typos, '$[0 to 19]') t
    union all select 7, 'typo?', format('and %s more', jsonb_array_length(f.typos) - 20) from f where jsonb_array_length(f.typos) > 20
    union all select 7, c.finding, c.detail from rafiki._column_findings(request) c
    union all select 8, 'repeats', format(case f.input when 'row' then '%s rows repeat another row' else '%s rows have the %s of another row' end,
                                          f.repeats, f.input) from f where f.repeats > 0
    union all select 9, 'both sides', format('%s %ss are trained and validated on (%s rows)', f."both", f.input, f.both_rows) from f where f."both" > 0
    union all select 9, 'both sides', format('%s of them with different labels', f.both_conflict) from f where f.both_conflict > 0
    union all select 9, 'both sides', 'such as ' || rafiki._quoted(e #>> '{}', 46) from f, jsonb_array_elements(f.both_examples) e
      where f."both" > 0 and f.input = 'text'
    union all select 10, 'two labels', format('%s %ss have several%s', f.conflict, f.input,
                                              ', such as ' || case f.input when 'row' then left(f.conflict_example, 40) else rafiki._quoted(f.conflict_example, 20) end) from f where f.conflict > 0
    union all select 11, 'majority', case request.metric
        when 'accuracy' then format('%s every time would score %s', rafiki._quoted(f.majority, 20), rafiki._baseline_score('accuracy', f.shares))
        else format('a constant answer has a %s of %s', request.metric, rafiki._baseline_score(request.metric, f.shares)) end
      from f where f.valid > 0
    union all select 12, 'error', format('standard error of a score: %s at most', round((0.5 / sqrt(f.valid))::numeric, 3)) from f where f.valid > 0
    union all select 13, 'time', rafiki._time_estimate(request, f.bytes, f.used - f.valid) from f where f.used > 0)
  select l.finding, case when length(l.detail) > 62 then left(l.detail, 61) || '…' else l.detail end from line l order by l.place
$$;

-- A number for reading.
create or replace function rafiki._few_digits(value float8) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select case when abs(value) between 1e-3 and 1e7 or value = 0 then trim_scale(round(value::numeric, greatest(0, 4 - ceil(log(greatest(abs(value), 1e-3)))::int)))::text
                  else to_char(value, '9.999EEEE') end $$;

-- The findings for a target of numbers.
create or replace function rafiki._number_findings(request rafiki.study) returns table (finding text, detail text)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  facts record;
begin
  execute format($query$
    select count(*) filter (where n.number is not null) as used, count(*) filter (where n.given and n.label is null) as no_label,
           count(*) filter (where not n.given) as no_input, count(*) filter (where n.given and n.label is not null and n.number is null) as no_number,
           count(*) filter (where n.number is not null and n.validates) as valid, count(distinct n.number) as numbers,
           min(n.number) as least, max(n.number) as most, percentile_disc(0.5) within group (order by n.number) as middle,
           avg(n.number::float8) as mean, stddev_pop(n.number::float8) as deviation
    from (select %1$s as given, r.label, r.validates, case when %1$s and %2$s then r.label::text::numeric end as number from (%3$s) r) n$query$,
    rafiki._given_test(request.kinds is not null, 'r.input'), rafiki._number_test('r.label::text'), rafiki._study_rows(request)) into facts;
  return query select l.finding, case when length(l.detail) > 62 then left(l.detail, 61) || '…' else l.detail end from (
    select 1 as place, 'rows' as finding, case when rafiki._has_validation_rows(request)
        then format('%s used: %s to train on, %s to validate on', facts.used, facts.used - facts.valid, facts.valid)
        else format('%s used, %s %% of them to validate on', facts.used, round(100 * request.validation)) end as detail
    union all select 2, 'left out', format('%s whose "%s" is null', facts.no_label, left(request.target, 30)) where facts.no_label > 0
    union all select 2, 'left out', format('%s whose "%s" is null', facts.no_input, left(request.features[1], 30)) where facts.no_input > 0
    union all select 2, case request.on_bad_row when 'skip' then 'left out' else 'bad rows' end,
                     format('%s whose "%s" is no number', facts.no_number, left(request.target, 30)) where facts.no_number > 0
    union all select 3, 'numbers', format('%s different, from %s to %s, median %s', facts.numbers, rafiki._short_number(facts.least),
                                          rafiki._short_number(facts.most), rafiki._short_number(facts.middle)) where facts.used > 0
    union all select 4, 'few rows', 'there is nothing to learn' where facts.used = 0
    union all select 4, 'few rows', 'one number only: there is nothing to learn' where facts.numbers = 1
    union all select 7, c.finding, c.detail from rafiki._column_findings(request) c
    union all select 8, 'mean', format('%s every time would have an RMSE of %s, and an R² of 0', rafiki._few_digits(facts.mean),
                                       rafiki._few_digits(facts.deviation)) where facts.numbers > 1) l order by l.place;
end $$;

create or replace function rafiki._check(request rafiki.study) returns table (finding text, detail text)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_limits(1, request.max_time, null, request.validation);
  perform rafiki._check_on_bad_row(request.on_bad_row);
  perform rafiki._check_aims(request.task, request.metric, null);
  case rafiki._output(request.task)
    when 'boxes' then
      raise exception using errcode = 'feature_not_supported', message = 'rafiki_check supports tasks with classes or numbers only',
        hint = 'Train directly: each image and box is checked before the first trial.';
    when 'number' then return query select * from rafiki._number_findings(request);
    else return query select * from rafiki._findings(request, rafiki._facts(request));
  end case;
end $$;

create or replace function rafiki_check(
  task text, source regclass, target name default null, features name[] default null, validation float8 default null,
  on_bad_row text default 'error', validation_source regclass default null, validation_split name default null,
  validation_after timestamptz default null, metric text default null, max_time interval default null
) returns table (finding text, detail text)
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select c.* from rafiki._check(rafiki._request(
    task => task, source => source, model => 'none', target => target, features => features, families => null, knobs => '{}',
    advisor => null, collaborative => null, max_trials => null, max_time => max_time, target_score => null, validation => validation,
    seed => null, deploy => null, on_bad_row => on_bad_row, validation_source => validation_source,
    validation_split => validation_split, validation_after => validation_after, metric => metric, class_weights => null,
    replace => null, workers_per_trial => null, ensemble => null, start => null)) c
$$;

comment on function rafiki_check is $$Checks the rows before training, with those arguments of rafiki_train that concern rows. Reports the rows used and left out, the classes,
labels that may be typos of others, rows that repeat others, are on both sides of the split or have several labels, the
score of always giving the same answer, the standard error of a score, and the time that a trial takes; of several
columns, one that alone tells the target, and others that are constant, nearly all different, or numbers as texts; of numbers as
target their range, the rows and the error of their mean.
Reads with your rights, and writes nothing.

Arguments:
  task: what to learn; rafiki.task lists them
  source: table or view with labelled rows
  target: the column of labels or numbers
  features: the column of texts or images, as a list of one name; or several columns
  validation: share of the rows that trials are scored on, 0.2 if it is not given
  on_bad_row: error or skip
  validation_source: a table whose rows trials are scored on
  validation_split: a boolean column, true where trials are scored on the row
  validation_after: trials are scored on rows later than this
  metric: what trials are compared by
  max_time: how long the study would take; 10 min if it is not given

Result: findings, each with its detail

Errors:
  those of rafiki_train
  0A000: the task finds objects

Example:
  select * from rafiki_check('sentiment', 'reviews');$$;

-- A summary in four notices for rafiki_train_wait. An error here must not stop the study.
create or replace function rafiki._show_check(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  found record;
  more constant text := concat(
    case when request.kinds is not null then format(', target => %L', request.target) end,
    case when request.validation_source is not null then format(', validation_source => %L', request.validation_source) end,
    case when request.validation_split is not null then format(', validation_split => %L', request.validation_split) end,
    case when request.validation_after is not null then format(', validation_after => %L', request.validation_after) end);
begin
  if rafiki._output(request.task) = 'boxes' then
    return;
  end if;
  select string_agg(f.detail, '') filter (where f.finding = 'rows') as rows, min(f.finding) filter (where f.finding in ('classes', 'numbers')) as answers,
         string_agg(f.detail, '') filter (where f.finding in ('classes', 'numbers')) as told,
         string_agg(f.detail, '; ' order by f.finding desc) filter (where f.finding in ('majority', 'error', 'mean')) as scores,
         string_agg(distinct f.finding, ', ') filter (where f.finding not in ('rows', 'classes', 'numbers', 'majority', 'error', 'mean', 'time')) as others
  into found from rafiki._check(request) f;
  raise notice 'rows: %', found.rows;
  raise notice '%: %', found.answers, found.told;
  raise notice 'scores: %', found.scores;
  raise notice 'findings: %', coalesce(found.others || format('; select * from rafiki_check(%L, %L%s)', request.task, request.source, more), 'nothing');
exception when others then
  raise notice 'the rows could not be checked: %', sqlerrm;
end $$;
