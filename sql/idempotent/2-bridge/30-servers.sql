-- The identity of this database: its cluster and its OID there. Restoring a dump changes at least one of them.
create or replace function rafiki._home() returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select c.system_identifier || '/' || d.oid from pg_control_system() c, pg_database d where d.datname = current_database()
$$;

-- Opens the session's connection to the bridge. Before PostgreSQL 17 an exception block is an error
-- during a parallel query, in the workers and in the leader; and still is if the query fills a
-- table, whose transaction then has an id. There the caller gets the plain error of dblink (08001).
create or replace function rafiki._open_bridge(is_parallel boolean) returns void
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  reason text;
  servers int := (select count(*) from rafiki.bridge_address);
begin
  if not exists (select from pg_foreign_server where srvname = 'rafiki_bridge') then
    raise exception using errcode = 'connection_failure', message = 'no rafiki server has ever run for this database',
      hint = 'Start one with: rafiki up, or rafiki serve.';
  elsif not exists (select from pg_user_mappings m where m.srvname = 'rafiki_bridge' and m.usename = 'rafiki_owner') then
    raise exception using errcode = 'connection_failure', message = 'the secret of the rafiki server is not known here',
      detail = 'Foreign server rafiki_bridge has no user mapping for rafiki_owner: it was dropped, or not restored.',
      hint = 'Start a server, which creates it: rafiki up, or rafiki serve.';
  elsif not exists (select from rafiki.bridge b where b.home = rafiki._home()) then
    raise exception using errcode = 'connection_failure', message = 'no rafiki server has run for this database yet',
      detail = 'It was restored from a dump, or upgraded. The server of the original database is not used.',
      hint = 'Start one with: rafiki up, or rafiki serve.';
  elsif rafiki._dblink_is_open() then
    return;
  elsif is_parallel then
    perform rafiki._dblink_open();
    return;
  end if;
  -- libpq tries the next server if one does not listen, but gives
  -- up if one fails during the handshake: hence the retries
  for attempt in 1..greatest(servers, 1) loop
    begin
      perform rafiki._dblink_open();
      perform rafiki._warn_misspelt(false); -- here, so that it runs once per session
      return;
    -- undefined while another session recreates the mapping
    exception when sqlclient_unable_to_establish_sqlconnection or undefined_object then
      get stacked diagnostics reason = pg_exception_detail;
    end;
  end loop;
  if reason like '%the bridge has too many connections%' then -- libpq reports no SQLSTATE of a refused connection
    raise exception using errcode = 'too_many_connections',
      message = 'the rafiki server has too many sessions', detail = reason,
      hint = 'Sessions that have predicted keep a connection: end some, pool them, start another server, or raise --bridge-sessions.';
  end if;
  raise exception using errcode = 'connection_failure',
    message = 'the rafiki server does not answer', detail = reason,
    hint = 'Start it with: rafiki up, or rafiki serve. Then call again: this session reconnects by itself.';
end $$;

-- Writes the addresses of the bridges into the foreign server. A new session connects to one of them, at random if
-- libpq can (PostgreSQL 16), and to another one if that is down. Bridges without a recent heartbeat are removed.
-- Connections to other machines are encrypted, with SCRAM channel binding, so that no
-- certificates have to be distributed. libpq has one sslmode for all hosts, and a Unix socket
-- is never encrypted: as soon as one bridge is remote, local ones are reached over loopback.
create or replace function rafiki._list_bridges() returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  hosts text;
  ports text;
  leaves boolean; -- whether a bridge is on another machine
  wanted text[];
  present text[];
begin
  delete from rafiki.bridge_address where seen_at < now() - interval '30 s';
  select bool_or(a.host !~ '^(/|127[.]|::1$|localhost$)') into leaves from rafiki.bridge_address a;
  select string_agg(case when leaves and a.host like '/%' then 'localhost' else a.host end, ',' order by a.host, a.port),
         string_agg(a.port::text, ',' order by a.host, a.port)
  into hosts, ports from rafiki.bridge_address a;
  if hosts is null then
    return; -- keeps the last address: callers get the error that it does not answer
  end if;
  -- keepalives: an unreachable machine is noticed within seconds, not after the kernel's two hours
  -- sslcert, sslrootcert: without these, libpq would look for files in the home directory of the
  -- operating system's user
  wanted := array['host', hosts, 'port', ports, 'dbname', 'rafiki', 'connect_timeout', '3', 'keepalives_idle', '10',
                  'tcp_user_timeout', '10000', 'gssencmode', 'disable', 'sslcert', 'none', 'sslrootcert', 'none',
                  'sslmode', case when leaves then 'require' else 'disable' end,
                  'channel_binding', case when leaves then 'require' else 'disable' end];
  if current_setting('server_version_num')::int >= 160000 then
    wanted := wanted || array['load_balance_hosts', 'random'];
  end if;
  if not exists (select from pg_foreign_server where srvname = 'rafiki_bridge') then
    create server rafiki_bridge foreign data wrapper dblink_fdw;
  end if;
  select coalesce(array_agg(split_part(o, '=', 1)), '{}') into present
  from pg_foreign_server, unnest(srvoptions) o where srvname = 'rafiki_bridge';
  execute 'alter server rafiki_bridge options ('
    || (select string_agg(format('%s %I %L', case when wanted[i] = any (present) then 'set' else 'add' end, wanted[i], wanted[i + 1]), ', ')
        from generate_series(1, cardinality(wanted), 2) i)
    || ')';
end $$;

-- The secret that the foreign server and all bridges share; the first bridge sets it to `fresh`. In a
-- restored database the stored addresses and secret belong to the original's servers, so they are discarded.
create or replace function rafiki._keep_secret(fresh text) returns text
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  lock table rafiki.bridge_address in share row exclusive mode;
  if not exists (select from rafiki.bridge b where b.home = rafiki._home()) then
    delete from rafiki.bridge_address;
    perform rafiki._forget_roles(); -- the stored roles are those of the original's cluster, too
    insert into rafiki.bridge as b (secret, home) values (fresh, rafiki._home())
      on conflict (singleton) do update set secret = excluded.secret, home = excluded.home;
  end if;
  return (select b.secret from rafiki.bridge b);
end $$;

-- Registers a bridge, and is its heartbeat. Only rafiki_owner has rights
-- on bridge_address, so no other role can block this by locking the table.
create or replace function rafiki._connect_bridge(host text, port int, secret text) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  -- may differ from `secret`: another bridge was first, or the secret was rotated; it also locks bridge_address
  kept text := rafiki._keep_secret(secret);
begin
  update rafiki.bridge_address a set seen_at = now() where a.host = $1 and a.port = $2;
  if found and exists (select from pg_foreign_server where srvname = 'rafiki_bridge')
     and not exists (select from rafiki.bridge_address where seen_at < now() - interval '30 s') then
    return;
  end if;
  insert into rafiki.bridge_address (host, port) values ($1, $2) on conflict do nothing;
  perform rafiki._list_bridges();
  perform rafiki._map_secret(kept);
end $$;

-- Sets the password that _exchange() connects with: it always connects as rafiki_owner.
create or replace function rafiki._map_secret(secret text) returns void
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- recreated, not altered: a dump by a role that is not superuser has
  -- the mapping without its options, and SET fails on missing options
  drop user mapping if exists for current_user server rafiki_bridge;
  execute format('create user mapping for current_user server rafiki_bridge options (user %L, password %L)', 'rafiki', secret);
end $$;

-- Replaces the secret, for example after a dump that contains it has leaked. Open connections stay open.
create or replace function rafiki._rotate_secret(secret text) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  lock table rafiki.bridge_address in share row exclusive mode;
  insert into rafiki.bridge as b (secret, home) values ($1, rafiki._home())
    on conflict (singleton) do update set secret = excluded.secret;
  if exists (select from pg_foreign_server where srvname = 'rafiki_bridge') then
    perform rafiki._map_secret($1);
  end if;
  perform rafiki._hint('rafiki_bridge', '');
end $$;

-- Unregisters a bridge that stops: new sessions connect to another one.
create or replace function rafiki._disconnect_bridge(host text, port int) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  lock table rafiki.bridge_address in share row exclusive mode;
  delete from rafiki.bridge_address a where a.host = $1 and a.port = $2;
  perform rafiki._list_bridges();
end $$;
