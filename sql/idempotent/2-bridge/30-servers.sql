-- What tells this database from every other: its cluster and its place there. A restore changes one of them.
create or replace function rafiki._home() returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select c.system_identifier || '/' || d.oid from pg_control_system() c, pg_database d where d.datname = current_database()
$$;

-- Opens the session's connection to the bridge. Before PostgreSQL 17 an exception block is refused during a parallel query, in the
-- workers and in their leader; there the bare error of dblink (08001) has to do.
create or replace function rafiki._open_bridge(is_parallel boolean) returns void
language plpgsql volatile strict parallel safe security definer
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
      hint = 'Start a server anew, which makes it: rafiki up, or rafiki serve.';
  elsif not exists (select from rafiki.bridge b where b.home = rafiki._home()) then
    raise exception using errcode = 'connection_failure', message = 'no rafiki server has run for this database yet',
      detail = 'It was restored from a dump, or upgraded. The server of the database that it came from is not asked.',
      hint = 'Start one with: rafiki up, or rafiki serve.';
  elsif rafiki._dblink_is_open() then
    return;
  elsif is_parallel then
    perform rafiki._dblink_open();
    return;
  end if;
  -- libpq goes on to the next server where one does not listen, and gives up where one dies while it greets.
  for attempt in 1..greatest(servers, 1) loop
    begin
      perform rafiki._dblink_open();
      perform rafiki._warn_misspelt(false); -- at the first prediction of a session
      return;
    exception when sqlclient_unable_to_establish_sqlconnection or undefined_object then -- which is made anew just now
      get stacked diagnostics reason = pg_exception_detail;
    end;
  end loop;
  raise exception using errcode = 'connection_failure',
    message = 'the rafiki server does not answer', detail = reason,
    hint = 'Start it with: rafiki up, or rafiki serve. Then call again: this session reconnects by itself.';
end $$;

-- Where bridges listen. A new session takes one of them, at random where libpq can (PostgreSQL 16), and another one where
-- that is down; those that were not heard of for a while are left out.
-- To another machine the connection is encrypted and SCRAM is bound to it, so that no certificate has to be spread. libpq takes
-- one rule for all hosts, and a Unix socket is never encrypted: beside one that is elsewhere, the server behind it is asked
-- over loopback.
create or replace function rafiki._list_bridges() returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  hosts text;
  ports text;
  leaves boolean; -- the machine
  wanted text[];
  present text[];
begin
  delete from rafiki.bridge_address where seen_at < now() - interval '30 s';
  select bool_or(a.host !~ '^(/|127[.]|::1$|localhost$)') into leaves from rafiki.bridge_address a;
  select string_agg(case when leaves and a.host like '/%' then 'localhost' else a.host end, ',' order by a.host, a.port),
         string_agg(a.port::text, ',' order by a.host, a.port)
  into hosts, ports from rafiki.bridge_address a;
  if hosts is null then
    return; -- whoever asks is told that the last one does not answer
  end if;
  -- keepalives: a machine that vanished is noticed within seconds, not after the kernel's two hours
  -- sslcert, sslrootcert: no files, or libpq would look into the home of the system's user for some
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

-- The secret that the foreign server and all bridges share: `fresh` for the first of them. What a restored database knows of
-- servers is of those of its original, which are not its own.
create or replace function rafiki._keep_secret(fresh text) returns text
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  lock table rafiki.bridge_address in share row exclusive mode;
  if not exists (select from rafiki.bridge b where b.home = rafiki._home()) then
    delete from rafiki.bridge_address;
    perform rafiki._forget_roles(); -- nor does it have its roles
    insert into rafiki.bridge as b (secret, home) values (fresh, rafiki._home())
      on conflict (singleton) do update set secret = excluded.secret, home = excluded.home;
  end if;
  return (select b.secret from rafiki.bridge b);
end $$;

-- A bridge listens there: known when a server starts, so a call rather than a part of the script. Nobody but rafiki_owner has any
-- right on the table, so nobody else can lock it.
create or replace function rafiki._connect_bridge(host text, port int, secret text) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  kept text := rafiki._keep_secret(secret); -- it may have been changed meanwhile
begin -- with bridge_address locked: _keep_secret() has done that
  update rafiki.bridge_address a set seen_at = now() where a.host = $1 and a.port = $2;
  if found and exists (select from pg_foreign_server where srvname = 'rafiki_bridge')
     and not exists (select from rafiki.bridge_address where seen_at < now() - interval '30 s') then
    return;
  end if;
  insert into rafiki.bridge_address (host, port) values ($1, $2) on conflict do nothing;
  perform rafiki._list_bridges();
  perform rafiki._map_secret(kept);
end $$;

-- The password that _exchange() connects with, which it does as its owner whoever calls it.
create or replace function rafiki._map_secret(secret text) returns void
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- made anew: a dump that no superuser made has one without its options, which cannot be set where they are not
  drop user mapping if exists for current_user server rafiki_bridge;
  execute format('create user mapping for current_user server rafiki_bridge options (user %L, password %L)', 'rafiki', secret);
end $$;

-- Another secret, for when the old one stood in a dump that went astray. Sessions that are connected go on.
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

-- A bridge stops: sessions that connect from now on go elsewhere.
create or replace function rafiki._disconnect_bridge(host text, port int) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  lock table rafiki.bridge_address in share row exclusive mode;
  delete from rafiki.bridge_address a where a.host = $1 and a.port = $2;
  perform rafiki._list_bridges();
end $$;
