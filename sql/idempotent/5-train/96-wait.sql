-- Waiting for a study, and showing its progress.

-- VOLATILE, so that each query takes a fresh snapshot and sees what other sessions have committed.
create or replace function rafiki_wait(study bigint, timeout interval default '1 hour') returns text
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  deadline timestamptz := clock_timestamp() + greatest(least(timeout, interval '1000 days'), interval '0');
  pause float8 := 0.05;
  seen record;
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception using errcode = 'invalid_transaction_state',
      message = 'rafiki_wait sees no progress in this transaction',
      detail = format('Its isolation level is %s: it keeps seeing the database as it was at its start.', current_setting('transaction_isolation')),
      hint = 'Call it at read committed, outside of this transaction.';
  elsif timeout < interval '0' then
    raise exception using errcode = 'invalid_parameter_value', message = 'timeout must not be negative',
      detail = format('It is %s.', timeout), hint = 'Give an interval such as ''10 min''.';
  end if;
  loop
    select s.state, s.created_at, s.ended_at into seen from rafiki.study s where s.id = study;
    if not found then
      perform rafiki._raise_no_study(study);
    elsif seen.created_at = now() then -- now() is this transaction's start
      raise exception using errcode = 'object_not_in_prerequisite_state',
        message = format('study %s is not committed yet', study),
        detail = 'Workers begin when the transaction that created it commits.',
        hint = 'Commit first and then wait, or use: call rafiki_train_wait(…).';
    elsif seen.ended_at is not null or clock_timestamp() >= deadline then
      return seen.state;
    end if;
    perform pg_sleep(least(pause, greatest(0, extract(epoch from deadline - clock_timestamp()))));
    pause := least(pause * 2, 1);
  end loop;
end $$;

comment on function rafiki_wait(bigint, interval) is $$Waits until a study ends. Until it returns, VACUUM cannot remove the rows that other sessions delete, in any table of the
database: to wait for hours, use CALL rafiki_watch(study).

Arguments:
  study: its number
  timeout: how long to wait; with 0 it returns immediately

Result: completed, failed or cancelled; after the timeout the current state, queued or running. The view rafiki.studies
shows why a study failed

Errors:
  42704: no such study of yours
  55000: the study is not committed yet
  25000: the transaction is REPEATABLE READ or SERIALIZABLE, and would see no progress
  22023: a negative timeout

Example:
  select rafiki_wait(1, '10 min');$$;

-- Shows one line for each trial that has ended and is not in `shown`, unless it was
-- cancelled before it had begun to learn; returns `shown` with these trials added.
create or replace function rafiki._show_ended_trials(study bigint, shown bigint[]) returns bigint[]
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  ended record;
begin
  for ended in
    select t.id, t.number, s.max_trials, t.family, t.state, t.score, t.seconds, t.error, p.number as parent, f.number as refits,
           max(t.score) over (order by t.ended_at, t.id) as best
    from rafiki.trial t join rafiki.study s on s.id = t.study_id left join rafiki.trial p on p.id = t.parent_id
      left join rafiki.trial f on f.id = t.refits
    where t.study_id = study and t.ended_at is not null and not (t.state = 'cancelled' and t.epoch = 0)
    order by t.ended_at, t.id
  loop
    continue when ended.id = any (shown);
    shown := shown || ended.id;
    if ended.refits is not null then
      raise notice 'trial % on all rows: %', ended.refits, coalesce(ended.error ->> 'message', format('%s in %s s', ended.state, round(coalesce(ended.seconds, 0)::numeric)));
      continue;
    end if;
    raise notice using message = format('trial %s/%s %s %s%s%s', ended.number, ended.max_trials, ended.family,
      case when ended.score is null then format('%s: %s', ended.state, coalesce(ended.error ->> 'message', 'no score'))
           else format('%s in %s s', round(ended.score::numeric, 3), round(coalesce(ended.seconds, 0)::numeric)) end,
      coalesce(', best ' || round(ended.best::numeric, 3), ''), coalesce(', from trial ' || ended.parent, ''));
  end loop;
  return shown;
end $$;

-- Shows what a study does with its time if that has changed; returns it.
create or replace function rafiki._show_plan(study bigint, shown text) returns text
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  plan text := (select s.plan from rafiki.study s where s.id = study);
begin
  if plan <> coalesce(shown, '') then
    raise notice '%', plan;
  end if;
  return plan;
end $$;

-- Shows the running trials, best scores first; used when no trial has ended for a while.
create or replace function rafiki._show_running_trials(study bigint) returns void
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  named constant int := 2; -- as many as fit into a line
  progress text;
begin
  select format('%s of %s min: %s',
                round(extract(epoch from coalesce(rafiki._study_time(
                  (select min(b.started_at) from rafiki.trial b where b.study_id = s.id), s.paused_at, s.paused_for), '0')) / 60),
                round(extract(epoch from s.max_time) / 60),
                coalesce(string_agg(t.line, ', ' order by t.place) filter (where t.place <= named)
                           || case when count(*) > named then format(', %s more', count(*) - named) else '' end,
                         case when s.paused_at is null then 'no trial is running' else 'paused' end))
  into progress
  from rafiki.study s
  left join lateral (
    select row_number() over (order by r.score desc nulls last, t.number) as place,
           format('%s %s(epoch %s)', t.family, round(r.score::numeric, 3) || ' ',
                  t.epoch || coalesce('/' || t.epochs, '')) as line
    from rafiki.trial t left join rafiki.report r on r.trial_id = t.id and r.epoch = t.epoch
    where t.study_id = s.id and t.state = 'running') t on true
  where s.id = study and s.state = 'running'
  group by s.id;
  if progress is not null then
    raise notice '%', progress;
  end if;
end $$;

-- Shows the result of the study, or raises the error that ended it.
create or replace function rafiki._show_end(study bigint) returns void
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  ended record;
  version_score text;
  deployment text;
begin
  select s.state, s.error, s.skipped_rows, o.skipped_example #>> '{}' as skipped_example, s.model, s.version, s.notice into ended
  from rafiki.study s join rafiki.study_ownership o on o.id = s.id where s.id = study;
  if ended.state = 'failed' then
    perform rafiki._raise(coalesce(ended.error, jsonb_build_object('message', format('study %s failed', study))));
  elsif ended.state = 'cancelled' then
    raise notice 'study % was cancelled', study;
    return;
  end if;
  if ended.skipped_rows > 0 then
    raise notice 'rows left out: %, the first of them: %', ended.skipped_rows, ended.skipped_example;
  end if;
  select round(v.score::numeric, 3) || case when w.low is null then '' else format(' (%s to %s)', round(w.low::numeric, 3), round(w.high::numeric, 3)) end, d.state
  into version_score, deployment
  from rafiki.model_version v
  left join lateral rafiki._wilson(v.score * v.judged_rows, v.judged_rows, rafiki._z(0.95)) w on v.metric = 'accuracy'
  left join rafiki.deployment d on d.version_id = v.id and d.state in ('ready', 'loading')
  where v.study_id = study
  order by d.state desc limit 1;
  raise notice using
    message = format('model "%s" version %s: score %s, %s%s', ended.model, ended.version, version_score,
                     case deployment when 'ready' then 'deployed' when 'loading' then 'waits for a server to load it'
                                     else 'not deployed' end,
                     coalesce(': ' || ended.notice, ''));
end $$;

create or replace function rafiki._processes_alive(process_kind text) returns boolean
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select exists (select from rafiki.process p
                 where p.kind = process_kind and rafiki._is_alive(p.seen_at))
$$;

-- Raises an error in a transaction block, where COMMIT would fail without a hint. There now() is earlier than
-- the statement; a tolerance, because drivers that prepare a statement begin its transaction shortly before it.
create or replace function rafiki._refuse_block(name text) returns void
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if statement_timestamp() - now() > interval '100 ms' then
    raise exception using errcode = 'invalid_transaction_termination', message = format('%s cannot run in a transaction block', name),
      detail = 'It commits, so that workers see the study and VACUUM does not have to wait, and shows what they do.',
      hint = 'Call it outside, or use select rafiki_train(…), commit, and then select rafiki_wait(study).';
  end if;
end $$;

-- The procedures have no SET clause, because it would forbid COMMIT. Hence the qualified names, and only operators
-- that pg_catalog has for exactly these types: any other would be looked up in the caller's search path.

-- Shows what a study does until it ends. Commits between two
-- looks: a snapshot that is held keeps VACUUM from removing rows.
create or replace procedure rafiki._watch(study bigint)
language plpgsql
as $$
declare
  study_state pg_catalog.text;
  plan pg_catalog.text;
  shown bigint[] := '{}';
  ended bigint[];
  checks int := 0;
  heard_at pg_catalog.timestamptz := pg_catalog.clock_timestamp();
begin
  loop
    select s.state into study_state from rafiki.study s where s.id = study;
    if not found then
      perform rafiki._raise_no_study(study);
      return; -- study is null
    end if;
    plan := rafiki._show_plan(study, plan);
    ended := rafiki._show_ended_trials(study, shown);
    if pg_catalog.cardinality(ended) > pg_catalog.cardinality(shown) then
      shown := ended;
      heard_at := pg_catalog.clock_timestamp();
    elsif pg_catalog.clock_timestamp() - heard_at > interval '1 min' then
      perform rafiki._show_running_trials(study);
      heard_at := pg_catalog.clock_timestamp();
    end if;
    exit when study_state in ('completed', 'failed', 'cancelled');
    checks := checks + 1;
    if checks in (10, 100, 1000)
       and not (rafiki._processes_alive('worker') and rafiki._processes_alive('coordinator')) then
      raise notice 'no process works on study % yet', study using
        hint = 'Start the processes with: rafiki up, or rafiki coordinator and rafiki worker. Ctrl-C stops only the waiting.';
    end if;
    commit;
    begin -- a block with an exception handler cannot contain COMMIT
      perform pg_catalog.pg_sleep(case when checks < 50 then 0.2 else 1 end);
    exception when query_canceled then
      raise exception using errcode = 'query_canceled', message = sqlerrm, detail = pg_catalog.format('Study %s goes on.', study),
        hint = pg_catalog.format('Watch it again with: call rafiki_watch(%1$s); or stop it with: select rafiki_cancel(%1$s);', study);
    end;
  end loop;
  perform rafiki._show_end(study);
end $$;

create or replace procedure rafiki_train_wait(
  task text, source regclass, model text default null, target name default null, features name[] default null,
  families text[] default null, knobs jsonb default '{}', advisor text default 'bayesian', collaborative boolean default true,
  max_trials int default null, max_time interval default null, target_score float8 default null,
  validation float8 default null, seed int default null, deploy boolean default true, on_bad_row text default 'error',
  validation_source regclass default null, validation_split name default null, validation_after timestamptz default null,
  metric text default null, class_weights text default null, replace boolean default false,
  workers_per_trial int default null, ensemble text default null, start text default null
)
language plpgsql
as $$
declare
  request rafiki.study;
  study bigint;
begin
  perform rafiki._refuse_block('rafiki_train_wait');
  request := rafiki._request(
    task, source, model, target, features, families, knobs, advisor, collaborative, max_trials, max_time, target_score, validation,
    seed, deploy, on_bad_row, validation_source, validation_split, validation_after, metric, class_weights, replace,
    workers_per_trial, ensemble, start);
  study := rafiki._train(request);
  commit;
  raise notice 'study % is queued: up to % trials in %', study, request.max_trials, request.max_time;
  perform rafiki._show_check(request); -- while workers begin
  call rafiki._watch(study);
end $$;

comment on procedure rafiki_train_wait is $$Like rafiki_train, then waits for the end, and shows what the study does with its time, each trial, and every minute
the running ones, as a NOTICE. It commits immediately, so it cannot run in a transaction block (2D000). Ctrl-C stops the waiting, not the study (57014).

Example:
  call rafiki_train_wait('sentiment', 'reviews', max_trials => 1, knobs => '{"epochs": 4}');$$;

create or replace procedure rafiki_watch(study bigint)
language plpgsql
as $$
begin
  perform rafiki._check_given('study', study is not null);
  perform rafiki._refuse_block('rafiki_watch');
  call rafiki._watch(study);
end $$;

comment on procedure rafiki_watch is $$Like rafiki_train_wait, but for a study that has begun, or ended: waits for its end, and shows what it does. However long
that takes, it holds no transaction, so VACUUM goes on, unlike with rafiki_wait. Ctrl-C stops the watching, not the study.

Example:
  call rafiki_watch(1);$$;
