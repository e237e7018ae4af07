-- Whether a process or a server that was seen then is taken to be running: the time of one and
-- a half heartbeats. Rows of processes that have ended are deleted later, by the coordinator.
create or replace function rafiki._is_alive(seen_at timestamptz) returns boolean
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select seen_at > clock_timestamp() - interval '@alive_seconds@ s' $$;
