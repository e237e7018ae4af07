-- Checks of a study's arguments, each on its own.

create or replace function rafiki._check_task(task text) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from rafiki.task t where t.name = _check_task.task) then
    raise exception using errcode = 'undefined_object', message = format('task "%s" does not exist', task),
      detail = case when task ~* 'regress|number|numeric|forecast' then rafiki._regression_hint()
                    else format('This version has %s tasks.', (select count(*) from rafiki.task)) end,
      hint = format('Tasks, nearest name first: %s.',
                    (select rafiki._nearest(_check_task.task, array_agg(t.name)) from rafiki.task t));
  end if;
end $$;

create or replace function rafiki._check_limits(max_trials int, max_time interval, target_score float8, validation float8)
returns void
language plpgsql immutable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if (max_trials >= 1) is not true then
    raise exception using errcode = 'invalid_parameter_value', message = 'max_trials must be at least 1',
      detail = format('It is %s.', coalesce(max_trials::text, 'null')), hint = 'The default is 16, and 200 for a table or with max_time.';
  elsif max_trials > 10000 then
    raise exception using errcode = 'invalid_parameter_value', message = 'max_trials must be at most 10000',
      detail = format('It is %s.', max_trials), hint = 'A study that is not done by then: train its model again.';
  elsif (extract(epoch from max_time) > 0) is not true then
    raise exception using errcode = 'invalid_parameter_value', message = 'max_time must be positive',
      detail = format('It is %s.', coalesce(max_time::text, 'null')), hint = 'The default is ''10 min''.';
  elsif extract(epoch from max_time) > @max_study_days@ * 86400 then
    raise exception using errcode = 'invalid_parameter_value', message = 'max_time must be at most @max_study_days@ days',
      detail = format('It is %s.', max_time), hint = 'A study that is not done by then: train its model again.';
  elsif not (target_score > 0 and target_score <= 1) then -- NaN is larger than all numbers
    raise exception using errcode = 'invalid_parameter_value', message = 'target_score must be more than 0 and at most 1',
      detail = format('It is %s.', target_score),
      hint = 'For an accuracy of 90 % give 0.9; leave it out to use all trials.';
  elsif (validation > 0 and validation < 1) is not true then
    raise exception using errcode = 'invalid_parameter_value', message = 'validation must lie between 0 and 1',
      detail = format('It is %s.', coalesce(validation::text, 'null')),
      hint = 'It is the share of rows that trials are scored on; the default is 0.2.';
  end if;
end $$;

create or replace function rafiki._check_workers_per_trial(workers int) returns void
language plpgsql immutable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if workers not between 1 and @max_workers_per_trial@ then
    raise exception using errcode = 'invalid_parameter_value', message = 'workers_per_trial must be from 1 to @max_workers_per_trial@',
      detail = format('It is %s.', workers), hint = 'Leave it out: idle workers of other machines then join a trial that takes long.';
  end if;
end $$;

create or replace function rafiki._check_ensemble(ensemble text) returns void
language plpgsql immutable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if ensemble not in ('best', 'vote', 'weighted') then
    raise exception using errcode = 'invalid_parameter_value', message = 'ensemble must be ''best'', ''vote'' or ''weighted''',
      detail = format('It is %s.', ensemble),
      hint = 'Leave it out: cross-validation over the validation rows then chooses one of them.';
  end if;
end $$;

create or replace function rafiki._check_families(task text, families text[]) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  known text[] := (select array_agg(f.name order by f.name) from rafiki.family f where f.task = _check_families.task);
  unknown text := (select coalesce(f, '') from unnest(families) f where f <> all (known) or f is null limit 1);
begin
  if cardinality(families) = 0 then
    raise exception using errcode = 'invalid_parameter_value', message = 'the list of families is empty',
      hint = format('Leave it out to try all of them: %s.', array_to_string(known, ', '));
  elsif octet_length(array_to_string(families, ',')) > @max_argument_bytes@ or cardinality(families) > 1000 then
    raise exception using errcode = 'invalid_parameter_value', message = 'the list of families is too long',
      detail = format('It has %s names.', cardinality(families)),
      hint = format('The task has %s families.', cardinality(known));
  elsif unknown is not null then
    raise exception using errcode = 'undefined_object',
      message = format('family "%s" does not exist for task %s', unknown, task),
      detail = format('The task has %s families.', cardinality(known)),
      hint = format('Families, nearest name first: %s.', rafiki._nearest(unknown, known));
  end if;
end $$;

-- The fault in an override of a knob, given the knob's domain; null if it
-- is valid. An override is a value, {"min": …, "max": …} or {"list": […]}.
create or replace function rafiki._knob_fault(domain jsonb, override jsonb) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with given as (
    select v
    from jsonb_array_elements(case when jsonb_typeof(override -> 'list') = 'array' then override -> 'list' else jsonb_build_array(override) end) v
    where not (jsonb_typeof(override) = 'object' and not override ? 'list') -- a text 'list' has that "key", too
    union all select override -> 'min' where jsonb_typeof(override) = 'object' and override ? 'min'
    union all select override -> 'max' where jsonb_typeof(override) = 'object' and override ? 'max'
  )
  select case
    when (select count(distinct v) from given) > @max_knob_values@ then 'length'
    when jsonb_typeof(override) = 'object' and not exists (select from given) then 'shape'
    when jsonb_typeof(override) = 'object'
      and exists (select from jsonb_object_keys(override) k where k not in ('min', 'max', 'list')) then 'shape'
    when domain ->> 'kind' = 'categorical' then case
      when jsonb_typeof(override) = 'object' and not override ? 'list' then 'shape'
      when exists (select from given where not domain -> 'list' @> jsonb_build_array(v)) then 'value' end
    when domain ->> 'kind' = 'encoder' then case -- their names are checked with the role that asks
      when jsonb_typeof(override) = 'object' and not override ? 'list' then 'shape'
      when exists (select from given where jsonb_typeof(v) <> 'string') then 'type' end
    when exists (select from given where jsonb_typeof(v) <> 'number') then 'type'
    when domain ->> 'dtype' = 'int' and exists (select from given where (v #>> '{}')::numeric % 1 <> 0) then 'type'
    when exists (select from given where (v #>> '{}')::numeric
                 not between (domain ->> 'min')::numeric and (domain ->> 'max')::numeric) then 'value'
    when (override ->> 'min')::numeric > (override ->> 'max')::numeric then 'value'
  end
$$;

-- A knob's domain for messages: "1 … 3 int" or "one of 16, 32, 64".
create or replace function rafiki._domain_text(domain jsonb) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case domain ->> 'kind'
    when 'range' then format('%s … %s %s%s', domain ->> 'min', domain ->> 'max', domain ->> 'dtype',
                             case when (domain ->> 'log')::boolean then ', log scale' else '' end)
    when 'encoder' then 'a name of rafiki.encoders'
    else 'one of ' || (select string_agg(v #>> '{}', ', ') from jsonb_array_elements(domain -> 'list') v)
  end
$$;

create or replace function rafiki._check_knobs(task text, families text[], knobs jsonb) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  known jsonb;
  knob text;
  override jsonb;
  fault text;
begin
  if (jsonb_typeof(knobs) = 'object') is not true then
    raise exception using errcode = 'invalid_parameter_value', message = 'knobs must be a JSON object',
      detail = format('It is %s.', coalesce(jsonb_typeof(knobs), 'null')), hint = 'For example ''{"epochs": 5}''.';
  elsif octet_length(knobs::text) > @max_argument_bytes@ then
    raise exception using errcode = 'invalid_parameter_value', message = 'knobs is too long',
      detail = format('It has %s bytes; the maximum is %s.', octet_length(knobs::text), @max_argument_bytes@),
      hint = 'Give fewer values in a list.';
  end if;
  for knob, override in select * from jsonb_each(knobs) loop
    -- the value must be valid for at least one of the families that have the knob
    select jsonb_agg(f.knobs -> knob order by rafiki._knob_fault(f.knobs -> knob, override) nulls first, f.name) -> 0 into known
    from rafiki.family f
    where f.task = _check_knobs.task and f.name = any (coalesce(families, array[f.name])) and f.knobs ? knob;
    fault := rafiki._knob_fault(known, override);
    if known is null then
      raise exception using errcode = 'undefined_object', message = format('knob "%s" does not exist', knob),
        detail = format('Families asked for: %s.', coalesce(array_to_string(families, ', '), 'all of the task')),
        hint = format('Knobs, nearest name first: %s. All: select * from rafiki_knobs(%L);', (
          select rafiki._nearest(knob, array_agg(distinct k)) from rafiki.family f, jsonb_object_keys(f.knobs) k
          where f.task = _check_knobs.task and f.name = any (coalesce(families, array[f.name]))), task);
    elsif fault = 'length' then
      raise exception using errcode = 'invalid_parameter_value', message = format('knob "%s" has too long a list', knob),
        detail = format('It has %s different values; the maximum is %s.',
                        (select count(distinct v) from jsonb_array_elements(override -> 'list') v), @max_knob_values@),
        hint = 'Give fewer values, or {"min": …, "max": …}.';
    elsif fault is not null then
      raise exception using
        errcode = case fault when 'value' then 'numeric_value_out_of_range' else 'datatype_mismatch' end,
        message = format('knob "%s" does not take %s', knob, override),
        detail = format('Its domain is %s.', rafiki._domain_text(known)),
        hint = 'Give a value of it, {"min": …, "max": …} within a range, or {"list": […]}.';
    end if;
  end loop;
end $$;

create or replace function rafiki._check_advisor(advisor text) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from rafiki.advisor a where a.name = advisor) then
    raise exception using errcode = 'invalid_parameter_value', message = format('advisor "%s" does not exist', advisor),
      detail = 'An advisor proposes the knobs of each trial.',
      hint = format('Advisors: %s.', (select string_agg(a.name, ', ' order by a.place) from rafiki.advisor a));
  end if;
end $$;

create or replace function rafiki._check_on_bad_row(on_bad_row text) returns void
language plpgsql immutable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if (on_bad_row in ('error', 'skip')) is not true then
    raise exception using errcode = 'invalid_parameter_value', message = 'on_bad_row must be ''error'' or ''skip''',
      detail = format('It is %s.', coalesce(on_bad_row, 'null')),
      hint = 'With error, the default, a row that cannot be used ends the study; with skip it is left out and counted.';
  end if;
end $$;

-- The metrics of a task, the default first.
create or replace function rafiki._metrics(task text) returns text[]
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(m.name order by m.place) from rafiki.task t join rafiki.metric m on m.output = t.output where t.name = task
$$;

create or replace function rafiki._check_aims(task text, metric text, class_weights text) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if (metric = any (rafiki._metrics(task))) is not true then
    raise exception using errcode = 'invalid_parameter_value', message = format('metric "%s" does not exist for task %s', metric, task),
      detail = case when metric in ('rmse', 'mae', 'r2') then rafiki._regression_hint()
                    else 'It is what the trials of a study are compared by.' end,
      hint = format('Metrics, the default first: %s.', array_to_string(rafiki._metrics(task), ', '));
  elsif class_weights <> 'balanced' then
    raise exception using errcode = 'invalid_parameter_value', message = format('class_weights cannot be "%s"', class_weights),
      detail = 'With ''balanced'' all classes weigh the same in training, however many rows they have.',
      hint = 'Leave it out, and each row weighs the same.';
  elsif class_weights is not null and (select t.output <> 'label' from rafiki.task t where t.name = task) then
    raise exception using errcode = 'feature_not_supported', message = format('class_weights is for classes, and this task %s',
                                                                    case rafiki._output(task) when 'boxes' then 'finds objects' else 'predicts numbers' end),
      hint = 'Leave it out.';
  end if;
end $$;
