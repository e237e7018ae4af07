-- Opens the session's connection to the bridge.
create or replace function rafiki._open_bridge() returns void
language plpgsql volatile parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  reason text;
begin
  if not exists (select from pg_foreign_server where srvname = 'rafiki_bridge') then
    raise exception using errcode = 'connection_failure', message = 'no rafiki server has ever run for this database',
      hint = 'Start one with: rafiki up, or rafiki serve.';
  end if;
  -- Before PostgreSQL 17 an exception block is refused during a parallel query, in the workers and in their leader;
  -- there the bare error of dblink (08001) has to do.
  if current_setting('server_version_num')::int < 170000
     and exists (select from pg_stat_get_activity(null) a
                 where a.leader_pid = pg_backend_pid() or a.pid = pg_backend_pid() and a.leader_pid is not null) then
    perform rafiki_dblink.dblink_connect('rafiki', 'rafiki_bridge');
    return;
  end if;
  perform rafiki_dblink.dblink_connect('rafiki', 'rafiki_bridge');
exception when sqlclient_unable_to_establish_sqlconnection then
  get stacked diagnostics reason = pg_exception_detail;
  raise exception using errcode = 'connection_failure', message = 'the rafiki server does not answer', detail = reason,
    hint = 'Start it with: rafiki up, or rafiki serve. Then call again, this session reconnects by itself.';
end $$;
