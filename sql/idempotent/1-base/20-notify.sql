-- Notifications are only hints: a process that misses one finds the changed row at its
-- next poll. pg_notify drops duplicates of a channel and payload within a transaction.

-- The notification queue is shared by the whole server, and any session that listens
-- and then idles in a transaction prevents its cleanup. If it were full, every
-- COMMIT with a notification would fail; so none are sent while it is half full.
create or replace function rafiki._hint(channel text, payload text) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_notification_queue_usage() < 0.5 then
    perform pg_notify(channel, payload);
  end if;
end $$;

create or replace function rafiki._notify_id() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._hint(tg_argv[0], new.id::text);
  return null;
end $$;

create or replace function rafiki._notify_study() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._hint(tg_argv[0], new.study_id::text);
  return null;
end $$;

-- Makes workers check the trials that they run, and look for waiting ones.
create or replace function rafiki._notify_pause() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._hint('rafiki_stop', t.id::text) from rafiki.trial t where t.study_id = new.id and t.state = 'running';
  perform rafiki._hint('rafiki_trial', new.id::text);
  return null;
end $$;

create or replace function rafiki._notify_report() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._hint('rafiki_report', t.study_id::text) from rafiki.trial t where t.id = new.trial_id;
  return null;
end $$;

create or replace function rafiki._notify_deployment() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._hint('rafiki_deployment', coalesce(new.model_id, old.model_id)::text);
  return null;
end $$;

create or replace function rafiki._notify_model() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._hint('rafiki_deployment', coalesce(new.id, old.id)::text);
  return null;
end $$;

create or replace function rafiki._notify_trial() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._hint(tg_argv[0], new.trial_id::text);
  return null;
end $$;

create or replace trigger notify_new after insert on rafiki.study
  for each row execute function rafiki._notify_id('rafiki_study');
drop trigger if exists notify_cancel on rafiki.study;
create or replace trigger notify_steer after update of cancel_requested, finish_requested, paused_at, max_time on rafiki.study
  for each row when ((new.cancel_requested, new.finish_requested, new.paused_at, new.max_time)
                     is distinct from (old.cancel_requested, old.finish_requested, old.paused_at, old.max_time))
  execute function rafiki._notify_id('rafiki_study');
create or replace trigger notify_pause after update of paused_at on rafiki.study
  for each row when ((new.paused_at is null) <> (old.paused_at is null))
  execute function rafiki._notify_pause();
create or replace trigger notify_end after update of state on rafiki.study
  for each row when (old.state <> new.state and new.state in ('completed', 'failed', 'cancelled'))
  execute function rafiki._notify_id('rafiki_study_end');

create or replace trigger notify_new after insert on rafiki.trial
  for each row when (new.state = 'waiting') execute function rafiki._notify_study('rafiki_trial');
create or replace trigger notify_waiting after update of state on rafiki.trial
  for each row when (old.state <> new.state and new.state = 'waiting')
  execute function rafiki._notify_study('rafiki_trial');
create or replace trigger notify_stop after update of stop_requested, state on rafiki.trial
  for each row when (new.stop_requested and not old.stop_requested
                     or old.state <> new.state and new.state = 'cancelled')
  execute function rafiki._notify_id('rafiki_stop');
create or replace trigger notify_end after update of state on rafiki.trial
  for each row when (old.state <> new.state and new.state in ('completed', 'stopped', 'failed', 'cancelled'))
  execute function rafiki._notify_study('rafiki_report');

create or replace trigger notify_new after update of state on rafiki.import
  for each row when (old.state <> new.state and new.state = 'queued') execute function rafiki._notify_id('rafiki_import');

create or replace trigger notify_new after insert on rafiki.report
  for each row execute function rafiki._notify_report();

create or replace trigger notify_waiting after insert or update of waits_after on rafiki.trial_worker
  for each row when (new.waits_after is not null) execute function rafiki._notify_trial('rafiki_round');
create or replace trigger notify_new after insert on rafiki.trial_round
  for each row execute function rafiki._notify_trial('rafiki_round');

create or replace trigger notify_change after insert or delete on rafiki.deployment
  for each row execute function rafiki._notify_deployment();
create or replace trigger notify_state after update of state on rafiki.deployment
  for each row when (old.state <> new.state) execute function rafiki._notify_deployment();
create or replace trigger notify_change after insert or delete on rafiki.model
  for each row execute function rafiki._notify_model();
create or replace trigger notify_key after update of key on rafiki.model_key
  for each row when (old.key <> new.key) execute function rafiki._notify_deployment();
