-- Steering an open study: cancel, finish, pause, resume, extend.

create or replace function rafiki._raise_no_study(study bigint) returns void
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'undefined_object', message = format('study %s does not exist', study),
    detail = 'Or it belongs to another role.',
    hint = format('Your latest studies: %s.', (
      select coalesce(string_agg(format('%s (%s)', s.id, s.model), ', '), 'none')
      from (select id, model from rafiki.study order by id desc limit 5) s));
end $$;

-- A study of the caller, and its key: only roles with its owner's
-- rights can see that key, so it proves the right to change it.
create or replace function rafiki._own_study(study bigint, out state text, out version int, out max_time interval, out key uuid)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_given('study', study is not null);
  select s.state, s.version, s.max_time, o.key #>> '{}' into state, version, max_time, key
  from rafiki.study s join rafiki.study_ownership o on o.id = s.id where s.id = study;
  if not found then
    perform rafiki._raise_no_study(study);
  end if;
end $$;

-- Raises an error if this transaction keeps seeing the study as it was, which has changed since.
create or replace function rafiki._refuse_old_snapshot(study bigint) returns void
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
    raise exception using errcode = 'serialization_failure', message = format('study %s has changed since this transaction began', study),
      hint = 'Begin the transaction again.';
  end if;
end $$;

-- Whether a worker has begun a trial of the study.
create or replace function rafiki._has_begun(study bigint) returns boolean
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select exists (select from rafiki.trial t where t.study_id = study and t.started_at is not null) $$;

-- How long a study has run since its first trial began at `began`,
-- without its pauses: what max_time bounds. NULL if none has begun.
create or replace function rafiki._study_time(began timestamptz, paused_at timestamptz, paused_for interval) returns interval
language sql volatile parallel safe
set search_path = pg_catalog, pg_temp
as $$ select coalesce(paused_at, clock_timestamp()) - began - paused_for $$;

-- Applies a change to the open study with that key; the key proves the caller's right to it. False if no open study
-- has that key, or its model is made. Time counts from its first trial on: a pause before that moves its start.
create or replace function rafiki._steer_study(study_key uuid, steer text, more interval) returns boolean
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  ends_pause constant boolean := steer in ('resume', 'finish', 'cancel');
begin
  update rafiki.study s set
    cancel_requested = s.cancel_requested or steer = 'cancel',
    finish_requested = s.finish_requested or steer = 'finish',
    paused_for = case when ends_pause and s.paused_at is not null and rafiki._has_begun(s.id)
                      then s.paused_for + (now() - s.paused_at) else s.paused_for end,
    started_at = case when ends_pause and s.paused_at is not null and not rafiki._has_begun(s.id)
                      then s.started_at + (now() - s.paused_at) else s.started_at end,
    paused_at = case when steer = 'pause' then coalesce(s.paused_at, now()) when not ends_pause then s.paused_at end,
    max_time = case when steer = 'extend' then s.max_time + make_interval(secs => extract(epoch from more)::float8) else s.max_time end,
    closed = case when steer = 'extend' then null else s.closed end
  from rafiki.study_key k
  where k.key = study_key and s.id = k.study_id and s.state in ('queued', 'running') and s.version is null;
  return found;
end $$;

-- Applies a change to a study of the caller. True if the study was still open.
create or replace function rafiki._steer(study bigint, steer text, more interval default null) returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record;
begin
  loop -- repeated with a fresh snapshot if the key has changed or the study has ended since it was read
    own := rafiki._own_study(study);
    if own.state not in ('queued', 'running') or own.version is not null then
      return false;
    elsif extract(epoch from own.max_time) + extract(epoch from more) > @max_study_days@ * 86400 then
      raise exception using errcode = 'invalid_parameter_value', message = 'a study may take @max_study_days@ days at most',
        detail = format('Study %s has %s, and %s more were asked for.', study, own.max_time, more),
        hint = 'To go on after that, train the model again.';
    end if;
    exit when rafiki._steer_study(own.key, steer, more);
    perform rafiki._refuse_old_snapshot(study);
  end loop;
  return true;
end $$;

create or replace function rafiki_cancel(study bigint) returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._steer(study, 'cancel') $$;

comment on function rafiki_cancel(bigint) is $$Cancels a study: its trials stop soon after the commit, and no model is made. rafiki_finish keeps the best trials.

Arguments:
  study: its number

Result: false if it had ended already

Errors:
  42704: no such study of yours
  40001: the study has changed since the transaction began

Example:
  select rafiki_cancel(1);$$;

create or replace function rafiki_finish(study bigint) returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._steer(study, 'finish') $$;

comment on function rafiki_finish(bigint) is $$Ends a study now and keeps its best trials: running trials stop with their best epoch, the model is made from the trials
that have a score, without training them again on all rows, and is deployed as usual. If no trial has a score yet, one continues until its first score; a study whose
trials have not started has nothing to keep, and ends without a model.

Arguments:
  study: its number

Result: false if it had ended already

Errors:
  those of rafiki_cancel

Example:
  select rafiki_finish(1);$$;

create or replace function rafiki_pause(study bigint) returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._steer(study, 'pause') $$;

comment on function rafiki_pause(bigint) is $$Pauses a study: its trials leave the workers, with their progress saved, until rafiki_resume(study). The pause does not
count as part of max_time. After @max_pause_days@ days the study ends with the trials that it has.

Arguments:
  study: its number

Result: false if it had ended already

Errors:
  those of rafiki_cancel

Example:
  select rafiki_pause(1);$$;

create or replace function rafiki_resume(study bigint) returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._steer(study, 'resume') $$;

comment on function rafiki_resume(bigint) is $$Resumes a study that rafiki_pause(study) paused: its trials continue where they were.

Arguments:
  study: its number

Result: false if it had ended already

Errors:
  those of rafiki_cancel

Example:
  select rafiki_resume(1);$$;

create or replace function rafiki._extend(study bigint, more interval) returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_given('more', more is not null);
  if extract(epoch from more) <= 0 then
    raise exception using errcode = 'invalid_parameter_value', message = 'a study can only be given more time',
      detail = format('It is %s.', more), hint = 'To end it now with what it has: select rafiki_finish(study);';
  end if;
  return rafiki._steer(study, 'extend', more);
end $$;

create or replace function rafiki_extend(study bigint, more interval) returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._extend(study, more) $$;

comment on function rafiki_extend(bigint, interval) is $$Gives an open study more time, not more trials. If it had stopped starting trials, it starts them again, but not
once it trains its networks on all rows, nor where more would gain too little (setting rafiki.terminator).

Arguments:
  study: its number
  more: how much is added to its max_time, which may be @max_study_days@ days at most

Result: false if it had ended already

Errors:
  those of rafiki_cancel
  22023: the time is not positive, or max_time would exceed @max_study_days@ days

Example:
  select rafiki_extend(1, '10 min');$$;
