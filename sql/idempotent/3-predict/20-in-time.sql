-- Requests with a hard time limit, for triggers: a server that hangs must not block the statement that writes rows.

-- Waits until the reply has arrived; false if the time is up first. Polls without sleeping
-- at first: a fast reply takes half a millisecond, while pg_sleep() takes at least one.
create or replace function rafiki._await_answer(until timestamptz) returns boolean
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  quick_polls constant int := 200;
  polls int := 0;
begin
  while rafiki._dblink_is_busy() loop
    if clock_timestamp() >= until then
      return false;
    end if;
    polls := polls + 1;
    if polls > quick_polls then
      perform pg_sleep(0.001);
    end if;
  end loop;
  return true;
end $$;

-- One request, like _exchange(); null if there is no reply in time. Does not connect if no
-- server has sent a heartbeat recently: connecting to a server that hangs takes seconds.
create or replace function rafiki._exchange_until(request text, until timestamptz) returns rafiki.reply
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  asked text;
  reply rafiki.reply;
begin
  for attempt in 1..3 loop -- the server may have restarted since the session connected
    asked := request;
    if not rafiki._dblink_is_open() then
      if not exists (select from rafiki.bridge_address a where rafiki._is_alive(a.seen_at)) then
        raise exception using errcode = 'connection_failure', message = 'no rafiki server has sent a heartbeat recently',
          hint = 'Start one with: rafiki up, or rafiki serve.';
      end if;
      perform rafiki._open_bridge(false);
    end if;
    if rafiki._dblink_is_busy() then -- with a cancelled request, whose reply may never come
      perform rafiki._dblink_close();
      continue;
    end if;
    loop -- discards results that were prefetched with an earlier reply
      perform from rafiki._dblink_fetch();
      exit when not found;
    end loop;
    while rafiki._dblink_send(asked) = 1 loop
      if not rafiki._await_answer(until) then
        perform rafiki._dblink_close(); -- the server then drops the pending request
        return null;
      end if;
      select * into reply from rafiki._dblink_fetch();
      exit when not found; -- the connection is broken
      perform from rafiki._dblink_fetch();
      if reply.s <> 'w' then
        return reply;
      end if;
      asked := e'R\x1f' || reply.v;
    end loop;
    perform rafiki._dblink_close();
  end loop;
  raise exception using errcode = 'connection_failure', message = 'the rafiki server closed the connection',
    hint = 'Check its log, and start it with: rafiki up, or rafiki serve.';
end $$;

-- The label of one input; with is_array, the labels of a JSON array of inputs, as an array literal. The call
-- gives up after wait_ms, which is also the server's latency budget; the server still answers overdue requests.
create or replace function rafiki._ask_in_time(key uuid, is_image boolean, is_array boolean, wait_ms float8, input text)
returns rafiki.reply
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
  until constant timestamptz := clock_timestamp() + wait_ms * interval '1 ms';
  verb constant text := case when is_array then 'A' else 'P' end;
  budget constant text := greatest(1, round(wait_ms)) || 'ms';
begin
  return rafiki._exchange_until(
    concat_ws(e'\x1f', case when is_image then lower(verb) else verb end, key, rafiki._session_role(), budget, 'answer',
              case when not is_array then '' end, input), until);
end $$;
