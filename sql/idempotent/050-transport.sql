-- Opens the session's connection to the bridge.
create or replace function rafiki._open_bridge() returns void
language plpgsql volatile parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  reason text;
  servers int := (select count(*) from rafiki.bridge_address);
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
  -- libpq goes on to the next server where one does not listen, and gives up where one dies while it greets.
  for attempt in 1..greatest(servers, 1) loop
    begin
      perform rafiki_dblink.dblink_connect('rafiki', 'rafiki_bridge');
      return;
    exception when sqlclient_unable_to_establish_sqlconnection then
      get stacked diagnostics reason = pg_exception_detail;
    end;
  end loop;
  raise exception using errcode = 'connection_failure',
    message = 'the rafiki server does not answer', detail = reason,
    hint = 'Start it with: rafiki up, or rafiki serve. Then call again: this session reconnects by itself.';
end $$;

-- Within one statement, snapshot and role a model's name means the same model. Inlined, as the next one.
create or replace function rafiki._statement(caller name) returns text
language sql stable parallel safe
as $$ select concat_ws(' ', date_part('epoch', statement_timestamp()), pg_current_snapshot(), translate(caller, e'\x1f', '')) $$;

-- What an answer is to, for comparing. The text itself, but of a long one its hash.
create or replace function rafiki._question(statement text, model text, input text) returns text
language sql stable parallel safe
as $$
  select concat_ws(e'\x1f', statement, octet_length(model), model, case when octet_length(input) <= 256 then '=' || input
                   else '#' || encode(sha256(convert_to(input, 'UTF8')), 'hex') end)
$$;

-- Answers to the next rows of a scan may come along with an answer, as further results. They wait in libpq, where nobody can
-- plant any, until a call that they are for takes them: 7 µs, where the way to the server and back takes 60. This gives the
-- one for a caller, model and input; what was for other calls is thrown away, and for definers the server sends none. STABLE, so
-- that it sees the snapshot of the query.
create or replace function rafiki._take(model text, input text, caller name) returns text
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning -- dblink tells of a broken connection by a notice
as $$
declare
  reply rafiki.reply;
begin
  if ('rafiki' = any (rafiki_dblink.dblink_get_connections())) is not true then
    return null;
  end if;
  loop
    select * into reply from rafiki_dblink.dblink_get_result('rafiki', false) as t(s text, v text, loc text);
    if not found then
      return null;
    elsif reply.loc = rafiki._question(rafiki._statement(caller), model, input) and reply.s = 'n' then
      return reply.v;
    end if;
  end loop;
end $$;

-- Asks the bridge (docs/architecture.md has the verbs). Everybody may call it: the model's key is what gives access, and a
-- key is seen only by who may use the model. The role is stated here, for fairness and statistics, not for access.
-- `taken`: _take() has just found nothing more. VOLATILE, since the planner runs what is STABLE; sent and fetched in two steps,
-- since dblink() cannot be interrupted.
create or replace function rafiki._call(verb text, key uuid default null, rest text default '', taken boolean default false)
returns rafiki.reply
language plpgsql volatile parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
  request constant text := verb
    || case when key is null then ''
            else e'\x1f' || key || e'\x1f' || translate(coalesce(nullif(current_setting('role'), 'none'), session_user), e'\x1f', '') end
    || case when rest = '' then '' else e'\x1f' || rest end;
  ticket text; -- for an answer that takes long
  is_second boolean; -- null at first, which costs no expression
  reply rafiki.reply;
begin
  loop
    if ('rafiki' = any (rafiki_dblink.dblink_get_connections())) is not true then
      perform rafiki._open_bridge();
    end if;
    while not taken loop -- what came along
      perform from rafiki_dblink.dblink_get_result('rafiki', false) as t(s text, v text, loc text);
      taken := not found;
    end loop;
    while rafiki_dblink.dblink_send_query('rafiki', coalesce(e'R\x1f' || ticket, request)) = 1 loop
      select * into reply from rafiki_dblink.dblink_get_result('rafiki', false) as t(s text, v text, loc text);
      if reply.s = 'k' then
        return reply; -- the next call takes what came along
      end if;
      exit when not found; -- broken
      perform from rafiki_dblink.dblink_get_result('rafiki', false) as t(s text, v text, loc text);
      if reply.s = 'w' then
        ticket := reply.v;
      elsif reply.s = 'e' then
        -- the server knows keys only; where a model is not deployed, its rows say why
        perform rafiki._explain_no_answer(m.name) from rafiki.model m
        where m.key = _call.key and not exists (
          select from rafiki.deployment d where d.model_id = m.id and d.state in ('ready', 'loading'));
        perform rafiki._raise(reply.v::jsonb);
      else
        return reply;
      end if;
    end loop;
    perform rafiki_dblink.dblink_disconnect('rafiki'); -- the server drops what it still had for us
    exit when is_second;
    is_second := true;
    taken := false;
    ticket := null;
  end loop;
  raise exception using errcode = 'connection_failure', message = 'the rafiki server closed the connection',
    hint = 'Look into its log, and start it with: rafiki up, or rafiki serve.';
end $$;

-- Where dblink was there before rafiki, it stays where it is, and the functions above follow it.
do $$
declare
  home text := (select extnamespace::regnamespace::text from pg_extension where extname = 'dblink');
  transport regprocedure;
begin
  if home <> 'rafiki_dblink' then
    foreach transport in array array['rafiki._open_bridge()', 'rafiki._take(text, text, name)', 'rafiki._call(text, uuid, text, boolean)']::regprocedure[] loop
      execute replace(pg_get_functiondef(transport), 'rafiki_dblink.', home || '.');
    end loop;
  end if;
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
  select bool_or(a.host !~ '^(/|127\.|::1$|localhost$)') into leaves from rafiki.bridge_address a;
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

-- A bridge listens there: known when a server starts, so a call rather than a part of the script.
create or replace function rafiki._connect_bridge(host text, port int, secret text) returns void
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  -- _call() connects as its owner, whoever runs this
  asker regrole := (select proowner from pg_proc where oid = 'rafiki._call(text, uuid, text, boolean)'::regprocedure);
begin
  perform pg_advisory_xact_lock('rafiki.bridge_address'::regclass::oid::bigint);
  update rafiki.bridge_address a set seen_at = now() where a.host = $1 and a.port = $2;
  if found and exists (select from pg_foreign_server where srvname = 'rafiki_bridge')
     and not exists (select from rafiki.bridge_address where seen_at < now() - interval '30 s') then
    return;
  end if;
  insert into rafiki.bridge_address (host, port) values ($1, $2) on conflict do nothing;
  perform rafiki._list_bridges();
  if exists (select from pg_user_mappings where srvname = 'rafiki_bridge' and umuser = asker) then
    execute format('alter user mapping for %s server rafiki_bridge options (set password %L)', asker, secret);
  else
    execute format('create user mapping for %s server rafiki_bridge options (user %L, password %L)',
                   asker, 'rafiki', secret);
  end if;
end $$;

-- A bridge stops: sessions that connect from now on go elsewhere.
create or replace function rafiki._disconnect_bridge(host text, port int) returns void
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock('rafiki.bridge_address'::regclass::oid::bigint);
  delete from rafiki.bridge_address a where a.host = $1 and a.port = $2;
  perform rafiki._list_bridges();
end $$;
