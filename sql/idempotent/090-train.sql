-- Checks of a study's other arguments, then its row.

create or replace function rafiki._check_task(task text) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from rafiki.task t where t.name = _check_task.task) then
    raise exception using errcode = 'undefined_object', message = format('task "%s" does not exist', task),
      detail = case when task ~* 'regress|number|numeric|forecast' then rafiki._no_regression()
                    else format('This version knows %s tasks.', (select count(*) from rafiki.task)) end,
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
      detail = format('It is %s.', coalesce(max_trials::text, 'null')), hint = 'The default is 16.';
  elsif max_trials > 10000 then
    raise exception using errcode = 'invalid_parameter_value', message = 'max_trials must be at most 10000',
      detail = format('It is %s.', max_trials), hint = 'A study that is not done by then: train its model again.';
  elsif (max_time > interval '0') is not true then
    raise exception using errcode = 'invalid_parameter_value', message = 'max_time must be positive',
      detail = format('It is %s.', coalesce(max_time::text, 'null')), hint = 'The default is ''10 min''.';
  elsif max_time > interval '30 days' then
    raise exception using errcode = 'invalid_parameter_value', message = 'max_time must be at most 30 days',
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

-- `rafiki.family` mirrors the zoo of the coordinator; before the first one has run there is nothing to check against.
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
  elsif octet_length(array_to_string(families, ',')) > 65536 or cardinality(families) > 1000 then
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

-- What is wrong with an override of a knob for its domain; null: nothing.
-- An override is a value, {"min": …, "max": …} or {"list": […]}.
create or replace function rafiki._knob_fault(domain jsonb, override jsonb) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with given as (
    select v
    from jsonb_array_elements(case when override ? 'list' then override -> 'list' else jsonb_build_array(override) end) v
    where not (jsonb_typeof(override) = 'object' and not override ? 'list')
    union all select override -> 'min' where jsonb_typeof(override) = 'object' and override ? 'min'
    union all select override -> 'max' where jsonb_typeof(override) = 'object' and override ? 'max'
  )
  select case
    when (select count(distinct v) from given) > 100 then 'length' -- as MOST_VALUES in hyper-space.ts
    when jsonb_typeof(override) = 'object' and not exists (select from given) then 'shape'
    when jsonb_typeof(override) = 'object'
      and exists (select from jsonb_object_keys(override) k where k not in ('min', 'max', 'list')) then 'shape'
    when domain ->> 'kind' = 'categorical' then case
      when jsonb_typeof(override) = 'object' and not override ? 'list' then 'shape'
      when exists (select from given where not domain -> 'list' @> jsonb_build_array(v)) then 'value' end
    when exists (select from given where jsonb_typeof(v) <> 'number') then 'type'
    when domain ->> 'dtype' = 'int' and exists (select from given where (v #>> '{}')::numeric % 1 <> 0) then 'type'
    when exists (select from given where (v #>> '{}')::numeric
                 not between (domain ->> 'min')::numeric and (domain ->> 'max')::numeric) then 'value'
    when (override ->> 'min')::numeric > (override ->> 'max')::numeric then 'value'
  end
$$;

-- A knob's domain as a person writes it: "1 … 3 int" or "one of 16, 32, 64".
create or replace function rafiki._domain_text(domain jsonb) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case domain ->> 'kind'
    when 'range' then format('%s … %s %s%s', domain ->> 'min', domain ->> 'max', domain ->> 'dtype',
                             case when (domain ->> 'log')::boolean then ', log scale' else '' end)
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
  elsif octet_length(knobs::text) > 65536 then
    raise exception using errcode = 'invalid_parameter_value', message = 'knobs is too long',
      detail = format('It has %s bytes; 65536 are the most.', octet_length(knobs::text)), hint = 'Give fewer values in a list.';
  end if;
  for knob, override in select * from jsonb_each(knobs) loop
    -- a knob's value has to fit one of the families that have the knob
    select jsonb_agg(f.knobs -> knob order by rafiki._knob_fault(f.knobs -> knob, override) nulls first) -> 0 into known
    from rafiki.family f
    where f.task = _check_knobs.task and f.name = any (coalesce(families, array[f.name])) and f.knobs ? knob;
    fault := rafiki._knob_fault(known, override);
    if known is null and exists (select from rafiki.family f where f.task = _check_knobs.task) then
      raise exception using errcode = 'undefined_object', message = format('knob "%s" does not exist', knob),
        detail = format('Families asked for: %s.', coalesce(array_to_string(families, ', '), 'all of the task')),
        hint = format('Knobs, nearest name first: %s. All: select * from rafiki_knobs(%L);', (
          select rafiki._nearest(knob, array_agg(distinct k)) from rafiki.family f, jsonb_object_keys(f.knobs) k
          where f.task = _check_knobs.task and f.name = any (coalesce(families, array[f.name]))), task);
    elsif fault = 'length' then
      raise exception using errcode = 'invalid_parameter_value', message = format('knob "%s" has too long a list', knob),
        detail = format('It has %s different values; 100 are the most.',
                        (select count(distinct v) from jsonb_array_elements(override -> 'list') v)),
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

create or replace function rafiki._raise_name_taken(model text) returns void
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'duplicate_object', message = format('the model name "%s" is taken by another role', model),
    hint = 'Choose another one with model => ''name''.';
end $$;

-- A version joins the model of its study's name, so a study may only name a model of its own owner. Of what the caller may not see
-- it says no more than that the name is taken.
create or replace function rafiki._check_model_name(model text, asker regrole) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  open record;
begin
  select s.id, s.owner into open from rafiki.study s where s.model = _check_model_name.model and s.state in ('queued', 'running');
  if (btrim(model) <> '') is not true then
    raise exception using errcode = 'invalid_name', message = 'the model name is empty',
      hint = 'Leave it out to get <table>_<task>.';
  elsif length(model) > 200 then
    raise exception using errcode = 'name_too_long', message = 'the model name is too long',
      detail = format('It has %s characters; 200 are the most.', length(model)),
      hint = 'Choose a shorter one with model => ''name''.';
  elsif exists (select from rafiki.model m where m.name = _check_model_name.model and not pg_has_role(asker, m.owner, 'usage'))
        or open.id is not null and not pg_has_role(asker, open.owner, 'usage') then
    perform rafiki._raise_name_taken(model);
  elsif open.id is not null then
    raise exception using errcode = 'object_in_use', message = format('model "%s" is in training already', model),
      detail = format('By study %s.', open.id),
      hint = format('Wait with: select rafiki_wait(%1$s); or stop it with: select rafiki_cancel(%1$s);', open.id);
  end if;
end $$;

create or replace function rafiki._check_advisor(advisor text) returns void
language plpgsql immutable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if (advisor in ('bayesian', 'tpe', 'random', 'grid')) is not true then
    raise exception using errcode = 'invalid_parameter_value', message = format('advisor "%s" does not exist', advisor),
      detail = 'An advisor proposes the knobs of each trial.',
      hint = 'Advisors: bayesian, tpe, random, grid.';
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

-- What a task's trials can be compared by, the usual one first.
create or replace function rafiki._metrics(task text) returns text[]
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select case t.output when 'boxes' then array['map50'] else array['accuracy', 'macro_f1', 'log_loss', 'auc'] end
  from rafiki.task t where t.name = task
$$;

create or replace function rafiki._check_aims(task text, metric text, class_weights text) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if (metric = any (rafiki._metrics(task))) is not true then
    raise exception using errcode = 'invalid_parameter_value', message = format('metric "%s" does not exist for task %s', metric, task),
      detail = case when metric in ('rmse', 'mae', 'r2') then rafiki._no_regression()
                    else 'It is what the trials of a study are compared by.' end,
      hint = format('Metrics, the default first: %s.', array_to_string(rafiki._metrics(task), ', '));
  elsif class_weights <> 'balanced' then
    raise exception using errcode = 'invalid_parameter_value', message = format('class_weights cannot be "%s"', class_weights),
      detail = 'With ''balanced'' all classes weigh the same in training, however many rows they have.',
      hint = 'Leave it out, and each row weighs the same.';
  elsif class_weights is not null and task = 'object_detection' then
    raise exception using errcode = 'feature_not_supported', message = 'class_weights is for classes, and this task finds objects',
      hint = 'Leave it out.';
  end if;
end $$;

-- Stops where something is wrong with what a study is to do, whoever asks for it in which way.
create or replace function rafiki._check_request(request rafiki.study, asker regrole) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_task(request.task);
  perform rafiki._check_limits(request.max_trials, request.max_time, request.target_score, request.validation);
  perform rafiki._check_on_bad_row(request.on_bad_row);
  perform rafiki._check_advisor(request.advisor);
  perform rafiki._check_families(request.task, request.families);
  perform rafiki._check_knobs(request.task, request.families, request.knobs);
  perform rafiki._check_aims(request.task, request.metric, request.class_weights);
  perform rafiki._check_model_name(request.model, asker);
  perform rafiki._check_model_task(request);
end $$;

-- A model whose name says nothing of the schema goes on with the table that it has learnt from, while that is there.
create or replace function rafiki._default_name(source regclass, task text) returns text
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  chosen record;
  other regclass;
begin
  select c.relname || '_' || task as name, n.nspname || '_' || c.relname || '_' || task as longer, format('%I.%I', n.nspname, c.relname) as source
  into chosen from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = source;
  select s.source into other from rafiki.study s
  where s.model = chosen.name
    and (s.state in ('queued', 'running')
         or s.version is not null and exists (select from rafiki.model m where m.name = s.model))
  order by s.id desc limit 1;
  if other <> source and exists (select from pg_class c where c.oid = other) then
    raise exception using errcode = 'duplicate_object',
      message = format('model "%s" learns from %s', chosen.name, (
        select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = other)),
      detail = format('By default that of %s has the same name.', chosen.source),
      hint = format('Name it, e.g. model => %L; with model => %L it becomes the next version of the other one.',
                    chosen.longer, chosen.name);
  end if;
  return chosen.name;
end $$;

-- A model is for one task: whoever asks it expects answers of that kind.
create or replace function rafiki._check_model_task(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  present constant text := (select m.task from rafiki.model m where m.name = request.model);
begin
  if present <> request.task and not request.replace then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('model "%s" is one for %s', request.model, present),
      detail = format('The study is for %s: whoever asks the model gets other answers then.', request.task),
      hint = 'Choose another name with model =>, or give replace => true.';
  end if;
end $$;

-- Nor may a version that lacks classes take the place of one that is asked for them.
create or replace function rafiki._check_model_classes(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  present record;
  missing text[];
begin
  select v.version, c.classes into present
  from rafiki.model m join rafiki.deployment d on d.model_id = m.id and d.state in ('loading', 'ready')
  join rafiki.model_version v on v.id = d.version_id join rafiki.version_classes c on c.id = v.id
  where m.name = request.model and m.task = request.task order by d.state limit 1; -- the one that is being loaded
  if not found or request.replace then
    return;
  end if;
  missing := array(select c from unnest(present.classes) c except select c from rafiki._study_classes(request) c order by 1);
  if missing <> '{}' then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('model "%s" knows classes that %s does not have', request.model, request.source),
      detail = format('Version %s answers with %s; missing: %s%s.', present.version,
                      (select string_agg(format('"%s"', left(c, 40)), ', ' order by n) from unnest(present.classes[:5]) with ordinality u (c, n))
                        || case when cardinality(present.classes) > 5 then ', …' else '' end,
                      (select string_agg(format('"%s"', left(c, 40)), ', ' order by n) from unnest(missing[:5]) with ordinality u (c, n)),
                      case when cardinality(missing) > 5 then format(' and %s more', cardinality(missing) - 5) else '' end),
      hint = 'Choose another name with model =>, or give replace => true.';
  end if;
end $$;

-- Whose a model of that name is now, or would be: the index of names knows what is committed, whatever the transaction's snapshot shows, and
-- where that is too old Postgres says so (40001). All is undone at once, so that nobody waits for the caller's transaction.
create or replace function rafiki._name_owner(model text, task text, asker regrole) returns regrole
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  holder regrole;
begin
  insert into rafiki.model as m (name, task, owner) values (_name_owner.model, _name_owner.task, asker)
  on conflict (name) do update set task = m.task returning m.owner into holder;
  raise exception using errcode = 'UNDO0';
exception when sqlstate 'UNDO0' then
  return holder;
end $$;

-- Puts a study in the queue and gives its id. Whose it is says the function that reads its source: it belongs to who made it, and
-- nobody else knows the ticket that its text has the hash of.
create or replace function rafiki._enqueue(request rafiki.study) returns bigint
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s' -- for a study of that model, or a change of it, which somebody has not committed yet
as $$
declare
  most constant bigint := (select q.value from rafiki.quota q where q.name = 'open_studies');
  asker constant regrole := rafiki._maker_of(request.reader, request.ticket);
  study bigint;
begin
  if asker is null then
    raise exception using errcode = 'insufficient_privilege', message = 'a study comes with a function of its own that reads its source',
      hint = 'Call rafiki_train, which makes it.';
  end if;
  perform rafiki._check_request(request, asker);
  if (select count(*) from rafiki.study s where s.owner = asker and s.state in ('queued', 'running')) >= most then
    raise exception using errcode = 'configuration_limit_exceeded', message = format('role %s has too many open studies', asker),
      detail = format('%s are queued or running.', most),
      hint = 'Wait for some of them, or cancel them with rafiki_cancel(study). An administrator sets the number in rafiki.quota.';
  end if;
  insert into rafiki.study (owner, task, source, model, target, features, families, knobs, advisor, collaborative, alpha_first,
                            alpha_last, delta, terminator, gpu, max_trials, max_time, target_score, validation, seed, deploy,
                            on_bad_row, validation_source, validation_split, validation_after, metric, class_weights, replace,
                            reader, ticket)
  values (asker, request.task, request.source, request.model, request.target, request.features, request.families, request.knobs,
          request.advisor, request.collaborative, request.alpha_first, request.alpha_last, request.delta, request.terminator,
          request.gpu, request.max_trials, request.max_time, request.target_score, request.validation, request.seed,
          request.deploy, request.on_bad_row, request.validation_source, request.validation_split, request.validation_after,
          request.metric, request.class_weights, request.replace, request.reader, rafiki._ticket_hash(request.ticket))
  on conflict do nothing
  returning id into study;
  if study is not null then -- and so the name is nobody else's to train until this is decided
    if not pg_has_role(asker, rafiki._name_owner(request.model, request.task, asker), 'usage') then
      perform rafiki._raise_name_taken(request.model);
    end if;
    return study;
  end if;
  perform rafiki._check_model_name(request.model, asker); -- somebody was quicker between the check and here
  raise lock_not_available;
exception
  when lock_not_available then
    raise exception using errcode = 'object_in_use', message = format('model "%s" is being trained or changed already', request.model),
      detail = 'By a transaction that has not been committed yet.', hint = 'Try again in a moment.';
  when serialization_failure then
    raise exception using errcode = 'serialization_failure',
      message = format('model "%s" has changed since this transaction began', request.model), hint = 'Begin the transaction again.';
end $$;

-- What rafiki_train asks for, with its columns found.
create or replace function rafiki._request(
  task text, source regclass, model text, target name, features name[], families text[], knobs jsonb, advisor text,
  collaborative boolean, max_trials int, max_time interval, target_score float8, validation float8, seed int,
  deploy boolean, on_bad_row text, validation_source regclass, validation_split name, validation_after timestamptz,
  metric text, class_weights text, replace boolean
) returns rafiki.study
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  chosen rafiki.task;
  request rafiki.study;
begin
  perform rafiki._warn_misspelt(true);
  perform rafiki._check_task(task);
  select * into chosen from rafiki.task t where t.name = task;
  perform rafiki._check_relation(source);
  request.task := task;
  request.source := source;
  request.model := coalesce(model, rafiki._default_name(source, task));
  request.families := families;
  request.knobs := knobs;
  request.advisor := advisor;
  request.collaborative := coalesce(collaborative, true);
  request.max_trials := max_trials;
  request.max_time := max_time;
  request.target_score := target_score;
  request.validation := validation;
  request.seed := coalesce(seed, (random() * 2147483647)::int);
  request.deploy := coalesce(deploy, true);
  request.on_bad_row := on_bad_row;
  request.validation_source := validation_source;
  request.validation_split := validation_split;
  request.metric := coalesce(metric, (rafiki._metrics(task))[1]);
  request.class_weights := class_weights;
  request.replace := coalesce(replace, false);
  request.alpha_first := rafiki._number_setting('rafiki.alpha_first', 1, 1);
  request.alpha_last := rafiki._number_setting('rafiki.alpha_last', 0.1, 1);
  request.delta := rafiki._number_setting('rafiki.delta', 0.005, 'infinity');
  request.terminator := rafiki._switch_setting('rafiki.terminator', true);
  request.gpu := rafiki._switch_setting('rafiki.gpu', false);
  select c.target, array[c.feature] into request.target, request.features
  from rafiki._resolve_columns(source, chosen, target, features) c;
  return rafiki._resolve_judge(request, chosen, validation_after);
end $$;

-- Whether the rows will do. They are read as workers read them, with the search path pinned.
create or replace function rafiki._check_rows(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  context text;
begin
  if request.task = 'object_detection' then
    perform rafiki._check_boxes(request);
  else
    perform rafiki._check_classes(request);
  end if;
  perform rafiki._check_model_classes(request);
exception when undefined_function or undefined_table or undefined_object then
  get stacked diagnostics context = pg_exception_context;
  raise exception using errcode = sqlstate, message = sqlerrm,
    detail = format('Code behind %s names it without a schema, and workers read with the search path pg_catalog. Context: %s.',
                    request.source, split_part(context, e'\n', 1)),
    hint = 'Give the function a path of its own: alter function … set search_path = public; or name the schema in it.';
end $$;

create or replace function rafiki._train(request rafiki.study) returns bigint
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_request(request, (select r.oid from pg_roles r where r.rolname = current_user)::regrole);
  perform rafiki._check_rows(request);
  select r.reader, r.ticket into request.reader, request.ticket from rafiki._make_reader(request) r;
  if request.gpu and not exists (select from rafiki.process p where p.kind = 'worker' and p.device <> 'cpu') then
    raise warning using message = 'no worker with a GPU is running', detail = 'Until one is, no trial begins: rafiki.gpu is on.',
      hint = 'Start one with: rafiki worker --device cuda; or, before you train: reset rafiki.gpu;';
  end if;
  return rafiki._enqueue(request);
end $$;

create or replace function rafiki_train(
  task text, source regclass, model text default null, target name default null, features name[] default null,
  families text[] default null, knobs jsonb default '{}', advisor text default 'bayesian', collaborative boolean default true,
  max_trials int default 16, max_time interval default '10 min', target_score float8 default null,
  validation float8 default 0.2, seed int default null, deploy boolean default true, on_bad_row text default 'error',
  validation_source regclass default null, validation_split name default null, validation_after timestamptz default null,
  metric text default null, class_weights text default null, replace boolean default false
) returns bigint
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select rafiki._train(rafiki._request(
    task, source, model, target, features, families, knobs, advisor, collaborative, max_trials, max_time, target_score, validation,
    seed, deploy, on_bad_row, validation_source, validation_split, validation_after, metric, class_weights, replace))
$$;

comment on function rafiki_train is
  'Starts training a model on the rows of a table or view and returns the study''s id at once: workers begin when the '
  'transaction commits. Example: select rafiki_train(''sentiment'', ''reviews''). The columns are inferred where '
  'one candidate is left. model defaults to <table>_<task>; a name that exists gets its next version, deployed only if it '
  'is not worse on the rows of this study; with other classes or for another task it needs replace => true. '
  'on_bad_row => ''skip'' leaves out rows whose image or boxes cannot be used, and counts them. '
  'Trials are scored on the share validation of the rows, or on those of validation_source => ''table''; or where the boolean column '
  'validation_split is true; or where that, a column of times, is later than validation_after => ''2026-01-01''. '
  'metric => accuracy (the default), macro_f1, log_loss (scored as exp(-loss)) or auc is what they are compared by; with '
  'class_weights => ''balanced'' rare classes weigh as much as frequent ones. Look at the rows first with rafiki_check. '
  'Follow it with rafiki_wait(study) or in the view rafiki.studies. With collaborative (the default) a trial '
  'starts from the weights of earlier good ones, or at random with a chance that falls from the setting rafiki.alpha_first '
  '(1) to rafiki.alpha_last (0.1) by half of max_trials or max_time; weights are published when a score beats the best of '
  'their family by rafiki.delta (0.005). A study ends early when more trials are not worth it, unless rafiki.terminator '
  'is off. With rafiki.gpu on, only workers with a GPU take its trials.';
