-- Requests to the bridge and their replies; docs/architecture.md describes their format.

-- Identifies the statement, snapshot and role: within these a model's name
-- means the same model. The planner inlines this function and the next.
create or replace function rafiki._statement(caller name) returns text
language sql stable parallel safe
as $$
  select pg_catalog.concat_ws(' ', pg_catalog.date_part('epoch', pg_catalog.statement_timestamp()), pg_catalog.pg_current_snapshot(),
                              pg_catalog.translate(caller::text, e'\x1f', ''))
$$;

-- Identifies a request: statement, model, and the text, or its
-- hash if it is long. Must match fingerprintOf() in src/protocol.
create or replace function rafiki._fingerprint(statement text, model text, input text) returns text
language sql stable parallel safe
as $$
  select pg_catalog.concat_ws(e'\x1f', statement, pg_catalog.octet_length(model), model, case when pg_catalog.octet_length(input) <= 512 then '=' || input
    else '#' || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(input, 'UTF8')), 'hex') end)
$$;

-- Takes the prefetched answer for a model, input and caller; null if there is none. A reply may carry
-- answers to the next rows of the scan as further results. They wait in libpq, where no other role can
-- plant any. Taking one costs 7 µs; a round trip to the server, 60 µs. Answers to other calls are
-- discarded on the way. STABLE, so that it sees the snapshot of the query. The model's key is not
-- checked, to save a lookup per row. That is safe: the server prefetches only for the session's role, and
-- code that runs in a statement of that role can make requests in its name anyway (docs/decisions/0018).
create or replace function rafiki._take(model text, input text, caller name) returns text
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning -- dblink reports a broken connection with a notice
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

-- Raises an error if the text of a request is too large. Applies to requests
-- for one text; arrays are split, and images are checked elsewhere.
create or replace function rafiki._check_text(request text) returns void
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  -- number of fields before the text
  fields constant int := case left(request, 1) when 'N' then 6 when 'E' then 6 when 'D' then 5 end;
  input text := request;
begin
  for field in 1..coalesce(fields, 0) loop
    input := substr(input, strpos(input, e'\x1f') + 1);
  end loop;
  if fields > 0 and octet_length(input) > @max_text_bytes@ then
    raise exception using errcode = 'program_limit_exceeded', message = 'a text is too large to be sent to the server',
      detail = format('It has %s bytes; the maximum is %s.', octet_length(input), @max_text_bytes@),
      hint = case when input like '{%' then 'Give only the columns that the model reads: rafiki_predict(model, r) from (select a, b from t) r.'
                  else 'Models read the first few thousand words of a text: give left(body, 100000).' end;
  end if;
end $$;

-- Sends one request to the bridge and returns the reply. Only the functions below may call it, because a
-- user must not choose the request or the role it is made for. `taken`: _take() has just discarded all
-- prefetched results. Sends and fetches in two steps, because dblink() itself cannot be interrupted.
create or replace function rafiki._exchange(request text, taken boolean) returns rafiki.reply
language plpgsql stable parallel safe
as $$
declare
  ticket pg_catalog.text; -- to poll for an answer that is not ready yet
  is_second boolean; -- null at first: initialising it would cost an expression
  reply rafiki.reply;
begin
  if pg_catalog.octet_length(request) > @max_text_bytes@ then
    perform rafiki._check_text(request);
  end if;
  loop
    if not rafiki._dblink_is_open() then
      if pg_catalog.current_setting('server_version_num')::int < 170000 then
        reply.s := 'e'; -- _after_refusal() then connects: it can tell whether the query is parallel
        reply.v := '{"sqlstate": "08003", "message": "not connected"}';
        return reply;
      end if;
      perform rafiki._open_bridge(pg_catalog.pg_current_xact_id_if_assigned() is not null);
    end if;
    while not taken loop -- discards what was prefetched
      perform from rafiki._dblink_fetch();
      taken := not found;
    end loop;
    while rafiki._dblink_send(coalesce(e'R\x1f' || ticket, request)) = 1 loop
      select * into reply from rafiki._dblink_fetch();
      if reply.s = 'k' then
        return reply; -- leaves the prefetched results to the next call
      end if;
      exit when not found; -- the connection is broken
      perform from rafiki._dblink_fetch();
      if reply.s <> 'w' then
        return reply;
      end if;
      ticket := reply.v;
    end loop;
    perform rafiki._dblink_close(); -- the server then drops the pending request
    exit when is_second;
    is_second := true;
    taken := false;
    ticket := null;
  end loop;
  raise exception using errcode = 'connection_failure', message = 'the rafiki server closed the connection',
    hint = 'Check its log, and start it with: rafiki up, or rafiki serve.';
end $$;

-- The role that a request is made for, used for fairness, statistics and prefetching. It does
-- not grant access: the model's key does, which is visible only to roles that may use the model.
create or replace function rafiki._session_role() returns text
language sql stable parallel safe
as $$
  select pg_catalog.translate(coalesce(nullif(pg_catalog.current_setting('role'), 'none'), session_user::text), e'\x1f', '')
$$;

-- The permitted requests, one function each. `terms` are the latency budget and the overdue
-- behaviour. STABLE, as all functions that a request passes through: a volatile one would
-- begin a new command, which CREATE TABLE AS with a parallel plan does not allow.
create or replace function rafiki._ask_label(key uuid, is_image boolean, terms text, statement text, input text) returns rafiki.reply
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'n' else 'N' end, key, rafiki._session_role(), terms,
                                    statement, input), true);
end $$;

-- `inputs` are packed by _packed(); the labels are returned as an array literal.
create or replace function rafiki._ask_labels(key uuid, is_image boolean, terms text, inputs text) returns rafiki.reply
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'a' else 'A' end, key, rafiki._session_role(), terms, inputs),
                          false);
end $$;

create or replace function rafiki._ask_detail(key uuid, is_image boolean, terms text, input text) returns rafiki.reply
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'd' else 'D' end, key, rafiki._session_role(), terms, input),
                          false);
end $$;

-- `inputs` are packed by _packed(); the details are returned as an array literal of JSON texts.
create or replace function rafiki._ask_details(key uuid, is_image boolean, terms text, inputs text) returns rafiki.reply
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'b' else 'B' end, key, rafiki._session_role(), terms, inputs),
                          false);
end $$;

-- `input` follows the class that is explained, as a JSON string or nothing.
create or replace function rafiki._ask_explanation(key uuid, is_image boolean, terms text, input text) returns rafiki.reply
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'e' else 'E' end, key, rafiki._session_role(), terms, input),
                          false);
end $$;

-- Sends the rows that were read ahead at a place, as a JSON array; an empty place says that there are none.
create or replace function rafiki._send_rows(key uuid, is_image boolean, place text, inputs text) returns rafiki.reply
language plpgsql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
  return rafiki._exchange(concat_ws(e'\x1f', case when is_image then 'v' else 'V' end, key, rafiki._session_role(), place, inputs),
                          false);
end $$;
