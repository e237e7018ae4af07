-- Requests to the bridge and their replies; docs/architecture.md has what they say.

-- Within one statement, snapshot and role a model's name means the same model. Inlined, as the next one.
create or replace function rafiki._statement(caller name) returns text
language sql stable parallel safe
as $$
  select pg_catalog.concat_ws(' ', pg_catalog.date_part('epoch', pg_catalog.statement_timestamp()), pg_catalog.pg_current_snapshot(),
                              pg_catalog.translate(caller::text, e'\x1f', ''))
$$;

-- What tells one request from all others: statement, model, and the text itself, or of a long one its hash; as fingerprintOf() of
-- src/protocol has it.
create or replace function rafiki._fingerprint(statement text, model text, input text) returns text
language sql stable parallel safe
as $$
  select pg_catalog.concat_ws(e'\x1f', statement, pg_catalog.octet_length(model), model, case when pg_catalog.octet_length(input) <= 256 then '=' || input
    else '#' || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(input, 'UTF8')), 'hex') end)
$$;

-- Answers to the next rows of a scan may be prefetched with an answer, as further results. They wait in libpq, where nobody can
-- plant any, until a call that they are for takes them: 7 µs, where the way to the server and back takes 60. This gives the
-- one for a model, input and caller; what was for other calls is thrown away. STABLE, so that it sees the snapshot of the query.
-- No key is asked for, which each row would have to look up: the server prefetches for the role of the session alone, and whose
-- code runs there in a statement of that role can ask in its name, as a function of the invoker (docs/decisions/0018).
create or replace function rafiki._take(model text, input text, caller name) returns text
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning -- dblink tells of a broken connection by a notice
as $$
declare
  reply rafiki.reply;
begin
  if not rafiki._dblink_is_open() then
    return null;
  end if;
  loop
    select * into reply from rafiki._dblink_fetch();
    if not found then
      return null;
    elsif reply.loc = rafiki._fingerprint(rafiki._statement(caller), model, input) and reply.s = 'n' then
      return reply.v;
    end if;
  end loop;
end $$;

-- A request for one text is refused here, with the size of the text alone; arrays are made of parts that fit, and images were checked.
create or replace function rafiki._check_text(request text, most_bytes int) returns void
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  fields constant int := case left(request, 1) when 'N' then 6 when 'D' then 5 end; -- before the text
  input text := request;
begin
  for field in 1..coalesce(fields, 0) loop
    input := substr(input, strpos(input, e'\x1f') + 1);
  end loop;
  if fields > 0 and octet_length(input) > most_bytes then
    raise exception using errcode = 'program_limit_exceeded', message = 'a text is too large to be sent to the server',
      detail = format('It has %s bytes; %s are the most.', octet_length(input), most_bytes),
      hint = 'Models look at the first few thousand words of a text: give left(body, 100000).';
  end if;
end $$;

-- One request to the bridge and its reply; docs/architecture.md has what they say. Only the functions below may call it: which
-- request is made, and in whose name, is not the caller's to choose. `taken`: _take() has just found nothing more. Sent and
-- fetched in two steps, since dblink() cannot be interrupted.
create or replace function rafiki._exchange(request text, taken boolean) returns rafiki.reply
language plpgsql volatile parallel safe
as $$
declare
  most_bytes constant int := 8000000; -- of a text; the server takes requests of 8 MiB (images: 48 MiB)
  ticket pg_catalog.text; -- for an answer that takes long
  is_second boolean; -- null at first, which costs no expression
  reply rafiki.reply;
begin
  if pg_catalog.octet_length(request) > most_bytes then
    perform rafiki._check_text(request, most_bytes);
  end if;
  loop
    if not rafiki._dblink_is_open() then
      if pg_catalog.current_setting('server_version_num')::int < 170000 then
        reply.s := 'e'; -- the caller knows whether his query is parallel
        reply.v := '{"sqlstate": "08003", "message": "not connected"}';
        return reply;
      end if;
      perform rafiki._open_bridge(false);
    end if;
    while not taken loop -- what was prefetched
      perform from rafiki._dblink_fetch();
      taken := not found;
    end loop;
    while rafiki._dblink_send(coalesce(e'R\x1f' || ticket, request)) = 1 loop
      select * into reply from rafiki._dblink_fetch();
      if reply.s = 'k' then
        return reply; -- the next call takes what was prefetched
      end if;
      exit when not found; -- broken
      perform from rafiki._dblink_fetch();
      if reply.s <> 'w' then
        return reply;
      end if;
      ticket := reply.v;
    end loop;
    perform rafiki._dblink_close(); -- the server drops what it still had for us
    exit when is_second;
    is_second := true;
    taken := false;
    ticket := null;
  end loop;
  raise exception using errcode = 'connection_failure', message = 'the rafiki server closed the connection',
    hint = 'Look into its log, and start it with: rafiki up, or rafiki serve.';
end $$;

-- The role of the session, which a request is made for: for fairness and statistics. What gives access is the model's key, which
-- only those can see who may use the model; nothing is prefetched for any other role than this one.
create or replace function rafiki._session_role() returns text
language sql stable parallel safe
as $$
  select pg_catalog.translate(coalesce(nullif(pg_catalog.current_setting('role'), 'none'), session_user::text), e'\x1f', '')
$$;

-- What may be asked, one function for each request. `terms` are budget and what to do when overdue. VOLATILE, since the planner
-- runs what is STABLE.
create or replace function rafiki._ask_label(key uuid, is_image boolean, terms text, statement text, input text) returns rafiki.reply
language plpgsql volatile strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'n' else 'N' end, key, rafiki._session_role(), terms,
                                    statement, input), true);
end $$;

-- `inputs` is a JSON array; the labels come as the literal of an array.
create or replace function rafiki._ask_labels(key uuid, is_image boolean, terms text, inputs text) returns rafiki.reply
language plpgsql volatile strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'a' else 'A' end, key, rafiki._session_role(), terms, inputs),
                          false);
end $$;

create or replace function rafiki._ask_detail(key uuid, is_image boolean, terms text, input text) returns rafiki.reply
language plpgsql volatile strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'd' else 'D' end, key, rafiki._session_role(), terms, input),
                          false);
end $$;

-- `inputs` is a JSON array; the details come as the literal of an array of JSON texts.
create or replace function rafiki._ask_details(key uuid, is_image boolean, terms text, inputs text) returns rafiki.reply
language plpgsql volatile strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'b' else 'B' end, key, rafiki._session_role(), terms, inputs),
                          false);
end $$;

-- The rows of a place that were read ahead, as a JSON array; no place: there are none.
create or replace function rafiki._send_rows(key uuid, is_image boolean, place text, inputs text) returns rafiki.reply
language plpgsql volatile strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'v' else 'V' end, key, rafiki._session_role(), place, inputs),
                          false);
end $$;
