-- Whether a process or a server that was seen then is taken to be running. Processes write the time every 5 s, servers their address
-- every 10 s; rows of processes that are gone are deleted later, by the coordinator.
create or replace function rafiki._is_alive(seen_at timestamptz) returns boolean
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select seen_at > clock_timestamp() - interval '15 s' $$;
