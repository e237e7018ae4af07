-- rafiki_train checks a study and queues it.

-- Raises an error if the arguments of a study are invalid. Called for every study, however it was requested.
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
  perform rafiki._check_encoder(request, asker);
  perform rafiki._check_aims(request.task, request.metric, request.class_weights);
  perform rafiki._check_workers_per_trial(request.workers_per_trial);
  perform rafiki._check_ensemble(request.ensemble);
  perform rafiki._check_start(request, asker);
  perform rafiki._check_model_name(request.model, asker);
  perform rafiki._check_model_task(request);
end $$;

-- Queues a study and returns its id. The study gets the owner of the function
-- that reads its source; the ticket proves that the caller created that function.
create or replace function rafiki._enqueue(request rafiki.study) returns bigint
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s' -- for an uncommitted study or change of the same model
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
  insert into rafiki.study (owner, task, source, model, target, features, kinds, families, knobs, advisor, collaborative, alpha_first,
                            alpha_last, delta, terminator, gpu, max_trials, max_time, target_score, validation, seed, deploy,
                            on_bad_row, validation_source, validation_split, validation_after, metric, class_weights, replace,
                            workers_per_trial, ensemble, start_version, experience, refit, warning, reader, ticket)
  values (asker, request.task, request.source, request.model, request.target, request.features, request.kinds, request.families, request.knobs,
          request.advisor, request.collaborative, request.alpha_first, request.alpha_last, request.delta, request.terminator,
          request.gpu, request.max_trials, make_interval(secs => extract(epoch from request.max_time)::float8), request.target_score, request.validation, request.seed,
          request.deploy, request.on_bad_row, request.validation_source, request.validation_split, request.validation_after,
          request.metric, request.class_weights, request.replace, request.workers_per_trial, request.ensemble, request.start_version, case when request.experience is not null then '[]'::jsonb end,
          coalesce(request.refit and (request.validation_source, request.validation_split, request.validation_after) is null, false), request.warning, request.reader, rafiki._ticket_hash(request.ticket))
  on conflict do nothing
  returning id into study;
  if study is not null then -- until this transaction ends, no other one can queue a study for the name
    if not pg_has_role(asker, rafiki._name_owner(request.model, request.task, asker), 'usage') then
      perform rafiki._raise_name_taken(request.model);
    end if;
    return study;
  end if;
  perform rafiki._check_model_name(request.model, asker); -- a study of that model was queued since the check above
  raise lock_not_available;
exception
  when lock_not_available then
    raise exception using errcode = 'object_in_use', message = format('model "%s" is being trained or changed already', request.model),
      detail = 'By a transaction that has not been committed yet.', hint = 'Try again in a moment.';
  when serialization_failure then
    raise exception using errcode = 'serialization_failure',
      message = format('model "%s" has changed since this transaction began', request.model), hint = 'Begin the transaction again.';
end $$;

-- The arguments of rafiki_train as a study, with its columns resolved.
create or replace function rafiki._request(
  task text, source regclass, model text, target name, features name[], families text[], knobs jsonb, advisor text,
  collaborative boolean, max_trials int, max_time interval, target_score float8, validation float8, seed int,
  deploy boolean, on_bad_row text, validation_source regclass, validation_split name, validation_after timestamptz,
  metric text, class_weights text, replace boolean, workers_per_trial int, ensemble text, start text
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
  -- trials of tables are short, and a given time is there to be used
  request.max_trials := coalesce(max_trials, case when chosen.input = 'columns' or max_time is not null then 200 else 16 end);
  request.max_time := coalesce(max_time, '10 min');
  request.target_score := target_score;
  request.validation := rafiki._validation_share(validation, validation_source is not null or validation_split is not null or validation_after is not null);
  request.seed := coalesce(seed, (random() * 2147483647)::int);
  -- repeatable: earlier studies have no influence
  request.experience := case when seed is not null then '[]'::jsonb end;
  request.deploy := coalesce(deploy, true);
  request.on_bad_row := on_bad_row;
  request.validation_source := validation_source;
  request.validation_split := case when validation_after is not null and validation_source is null
                                   then rafiki._split_column(source, validation_split) else validation_split end;
  request.metric := coalesce(case when metric = 'log_loss' and chosen.output = 'label' then 'likelihood' else metric end, (rafiki._metrics(task))[1]);
  request.class_weights := class_weights;
  request.workers_per_trial := workers_per_trial;
  request.ensemble := ensemble;
  request.start_version := rafiki._start_version(start, task, families);
  request.replace := coalesce(replace, false);
  request.alpha_first := rafiki._number_setting('rafiki.alpha_first', 1);
  request.alpha_last := rafiki._number_setting('rafiki.alpha_last', 1);
  request.delta := rafiki._number_setting('rafiki.delta', 'infinity');
  request.terminator := rafiki._switch_setting('rafiki.terminator');
  request.gpu := rafiki._switch_setting('rafiki.gpu');
  -- rows that the owner chose to validate on are not trained on
  request.refit := rafiki._switch_setting('rafiki.refit') and (validation_source, validation_split, validation_after) is null;
  select c.target, c.features, c.kinds into request.target, request.features, request.kinds
  from rafiki._resolve_columns(source, chosen, target, features, split => request.validation_split) c;
  if chosen.input = 'columns' and features is null then
    perform rafiki._notify_left_out(source, request.target, request.validation_split);
  end if;
  return rafiki._resolve_validation(request, chosen, validation_after);
end $$;

-- Checks the rows. They are read as workers will read them, with a pinned search path.
create or replace function rafiki._check_rows(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  context text;
begin
  case rafiki._output(request.task)
    when 'boxes' then perform rafiki._check_boxes(request);
    when 'number' then perform rafiki._check_numbers(request);
    else perform rafiki._check_classes(request);
  end case;
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
  request.warning := left(rafiki._notify_columns(request), 1000);
  select r.reader, r.ticket into request.reader, request.ticket from rafiki._make_reader(request) r;
  if request.gpu and not exists (select from rafiki.process p where p.kind = 'worker' and p.device <> 'cpu') then
    raise warning using message = 'no worker with a GPU is running', detail = 'Until one is, no trial begins: rafiki.gpu is on.',
      hint = 'Start one with: rafiki worker --device cuda; or, before you train: reset rafiki.gpu;';
  end if;
  perform rafiki._warn_of_families(request.families);
  return rafiki._enqueue(request);
end $$;

create or replace function rafiki_train(
  task text, source regclass, model text default null, target name default null, features name[] default null,
  families text[] default null, knobs jsonb default '{}', advisor text default 'bayesian', collaborative boolean default true,
  max_trials int default null, max_time interval default null, target_score float8 default null,
  validation float8 default null, seed int default null, deploy boolean default true, on_bad_row text default 'error',
  validation_source regclass default null, validation_split name default null, validation_after timestamptz default null,
  metric text default null, class_weights text default null, replace boolean default false,
  workers_per_trial int default null, ensemble text default null, start text default null
) returns bigint
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select rafiki._train(rafiki._request(
    task, source, model, target, features, families, knobs, advisor, collaborative, max_trials, max_time, target_score, validation,
    seed, deploy, on_bad_row, validation_source, validation_split, validation_after, metric, class_weights, replace,
    workers_per_trial, ensemble, start))
$$;

comment on function rafiki_train is $$Starts training a model on the rows of a table or view: workers begin when the transaction commits. Follow it with
rafiki_wait(study) or in the view rafiki.studies; look at the rows first with rafiki_check. A name that exists gets its
next version, deployed only if it is not worse on the rows of this study. A study ends when its time or trials are used
up, when target_score is reached, or when more trials are not worth it (setting rafiki.terminator). Its best models are
then trained again on all rows, if there is time and the validation rows are not your own choice (setting rafiki.refit). With the setting rafiki.gpu on, only workers with a GPU take its
trials.

Arguments:
  task: what to learn; rafiki.task lists them
  source: table or view with labelled rows, read with your rights
  model: its name, 200 characters at most; default: <table>_<task>
  target: the column of labels, of numbers, or of boxes; default: the only candidate by type and name
  features: the column of texts or images, as a list of one name, default: the only candidate; or the columns that a task
    tabular_… reads, default: all others but keys and what no model reads, which a notice lists
  families: which families to try; default: all of the task for which there are trials, time and an encoder enough;
    rafiki.family lists them
  knobs: values, ranges or lists of knobs: {"width": 16, "learning_rate": {"min": 0.01, "max": 0.1}}; rafiki_knobs(task)
    lists them
  advisor: what proposes the knobs of each trial; rafiki.advisor lists them
  collaborative: whether trials may start from weights that earlier trials published. The probability of random weights
    falls from the setting rafiki.alpha_first (1) to rafiki.alpha_last (0.1) by the middle of the study; a trial publishes
    its weights when their score beats the best of their family by rafiki.delta (0.005)
  max_trials: how many trials at most, 10000 or less; 16 if neither it nor max_time is given, 200 for a table or with max_time
  max_time: how long they may take, on the clock from the start of the first one, without pauses; 10 min if it is not given.
    @max_study_days@ days at most. A trial that is in an epoch then may take a minute longer, and the best one some minutes to
    store its weights
  target_score: a score in (0, 1] that is good enough to end
  validation: share of the rows that trials are scored on, 0.2 if it is not given
  seed: makes a study repeatable; default: random. Without it, earlier studies of yours decide what is tried first
  deploy: whether to deploy the version when the study ends
  on_bad_row: error ends the study at a row that cannot be used; skip leaves such rows out, and counts them
  validation_source: a table whose rows trials are scored on
  validation_split: a boolean column, true where trials are scored on the row; or the column of times for
    validation_after
  validation_after: trials are scored on rows later than this
  metric: what trials are compared by; default: the first of rafiki.metric; log_loss is likelihood, which is exp(-log loss)
  class_weights: balanced makes rare classes weigh as much as frequent ones
  replace: lets the version replace one with other classes or another task
  workers_per_trial: how many workers train each trial together, @max_workers_per_trial@ or less; the best ones are then not trained
    again on all rows. Default: idle workers of other machines join a trial that takes long
  ensemble: how the members of the model decide together: best (one alone), vote (the majority; of numbers a mean) or
    weighted (the weighted mean of probabilities, numbers or boxes); default: what cross-validation over the validation
    rows prefers
  start: a model of yours with the same kind of input. The first trial starts from its weights, those of the same role and
    shape, and later ones from them or from what this study's trials publish, as in a collaborative study

Result: the number of the study, immediately

Errors:
  42704: no such task, family, knob or model to start from
  42P01: the source does not exist
  42809: the source has no rows to learn from
  42501: you may not read it, or not train models, or the model to start from is another role's
  42702: several columns are candidates
  42703: no column is a candidate, or the named one does not exist
  42701: one column is used for two things
  42804: a column, or the value of a knob, has the wrong type
  22023: an argument is invalid
  22003: a value is outside the domain of its knob
  P0002: no rows, or none to train on or to validate on
  22004: no labelled row
  22000: one class only, or all inputs the same
  21000: too few rows for the classes
  22001: a label above 1,000 characters
  54000: more than 10,000 classes
  0A000: a temporary table, several features, or what the task cannot do
  42602: the model's name is empty
  42622: the model's name is too long
  42710: the model's name is taken by another role
  55006: the model is in training already
  55000: the model has other classes or another task, without replace; or the one to start from has no weights
  53400: more open studies than rafiki.quota allows
  40001: the model has changed since the transaction began

Example:
  select rafiki_train('sentiment', 'reviews', max_trials => 8, max_time => '5 min');$$;
