-- The access key of a model, or an error that explains why there is none. One index
-- lookup: 5 µs for the owner, 11 µs through a grant. Whether the model is deployed is
-- left to the server: checking that here would take 36 µs more under row-level security.
create or replace function rafiki._model_key(model text) returns uuid
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  found_key uuid;
begin
  select m.key #>> '{}' into found_key from rafiki.model_access m where m.name = model;
  if not found then
    perform rafiki._explain_no_answer(model);
  end if;
  return found_key;
end $$;

-- Raises the error that explains why a model cannot answer.
create or replace function rafiki._explain_no_answer(model_name text) returns void
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  training record;
  known bigint := (select id from rafiki.model where name = model_name);
  newest int := (select max(version) from rafiki.model_version where model_id = known);
  failure jsonb;
begin
  select s.id, s.state, s.max_trials into training from rafiki.study s where s.model = model_name and s.state in ('queued', 'running');
  if found then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('model "%s" is still training', model_name),
      detail = (select format('Study %s is %s: %s of %s trials have ended.', training.id, training.state,
                              count(*) filter (where t.ended_at is not null), training.max_trials)
                from rafiki.trial t where t.study_id = training.id),
      hint = format('Wait for it with: select rafiki_wait(%s);', training.id);
  elsif newest is null then
    raise exception using errcode = 'undefined_object', message = format('model "%s" does not exist', model_name),
      detail = 'Or it belongs to another role that has not granted it to you.',
      hint = format('Models that you can use, nearest name first: %s. A new one comes from rafiki_train.',
                    (select rafiki._nearest(model_name, array_agg(name)) from rafiki.model));
  end if;
  select error into failure from rafiki.deployment where model_id = known order by id desc limit 1;
  raise exception using errcode = 'object_not_in_prerequisite_state',
    message = format('model "%s" is not deployed', model_name),
    detail = coalesce('Its last deployment failed: ' || (failure ->> 'message'),
                      format('Its newest version is %s.', newest)),
    hint = format('Deploy it with: select rafiki_deploy(%L, %s);', model_name, newest);
end $$;

-- A latency budget in milliseconds. The server checks the setting (src/protocol/duration.ts).
create or replace function rafiki._budget_ms(budget interval) returns numeric
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if budget <= interval '0' or budget > interval '@max_budget_days@ days' then
    raise exception using errcode = 'invalid_parameter_value', message = 'the latency budget must be above 0 and at most @max_budget_days@ days',
      detail = format('It is %s.', budget), hint = 'Give an interval such as ''50 ms''.';
  end if;
  return extract(epoch from budget) * 1000;
end $$;

-- A setting as one field of a request. The planner inlines it, like the next function.
create or replace function rafiki._setting_field(name text) returns text
language sql stable parallel safe
as $$
  select pg_catalog.left(pg_catalog.translate(coalesce(pg_catalog.current_setting(name, true), ''), e'\x1f', ''), 100)
$$;

-- The latency budget and the overdue behaviour as two fields of a request, the latter
-- with the traceparent if there is one; the server parses the values of the settings.
create or replace function rafiki._terms(budget interval) returns text
language sql stable parallel safe
as $$
  select coalesce(rafiki._budget_ms(budget)::text || 'ms', rafiki._setting_field('rafiki.latency_budget'))
         || e'\x1f' || rafiki._setting_field('rafiki.on_overdue')
         || case when pg_catalog.current_setting('rafiki.traceparent', true) <> '' then e'\x1e' || rafiki._setting_field('rafiki.traceparent') else '' end
$$;

-- A model's key as it is now, and whether a server has the model.
-- VOLATILE, so that it sees what has changed since the statement began.
create or replace function rafiki._known_now(model text) returns table (key uuid, is_deployed boolean)
language sql volatile strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select (m.key #>> '{}')::uuid,
         exists (select from rafiki.deployment d where d.model_id = m.id and d.state in ('ready', 'loading'))
  from rafiki.model_access m where m.name = model
$$;

-- Handles an error reply of the server, which knows models only by key. If the model's key has changed (a grant was
-- revoked), returns the new one for another attempt; otherwise raises the error. Where an exception block may be an
-- error it also opens the connection, because _exchange() cannot tell whether its caller's query is parallel.
create or replace function rafiki._after_refusal(model text, key uuid, error text, attempt int) returns uuid
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  known record;
begin
  if error::jsonb ->> 'sqlstate' = '08003' then
    if attempt >= @max_attempts@ then
      raise exception using errcode = 'connection_failure', message = 'the rafiki server closed the connection',
        detail = format('It did so %s times.', attempt), hint = 'Check its log, and start it with: rafiki up, or rafiki serve.';
    end if;
    perform rafiki._open_bridge(pg_current_xact_id_if_assigned() is not null or exists (
      select from pg_stat_get_activity(null) a
      where a.leader_pid = pg_backend_pid() or a.pid = pg_backend_pid() and a.leader_pid is not null));
    return key;
  end if;
  select n.key, n.is_deployed into known from rafiki._known_now(model) n;
  if not found or not known.is_deployed then
    perform rafiki._explain_no_answer(model);
  elsif known.key <> key and attempt < @max_attempts@ then
    return known.key;
  elsif error::jsonb ->> 'sqlstate' = '42704' and current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
    raise exception using errcode = 'serialization_failure',
      message = format('the rights to use model "%s" have changed since this transaction began', model),
      detail = format('It sees the rows as they were then: its isolation level is %s.', current_setting('transaction_isolation')),
      hint = 'Begin the transaction again.';
  elsif error::jsonb ->> 'sqlstate' = '42704' and pg_current_xact_id_if_assigned() is not null then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('the server does not know yet what this transaction has changed about model "%s"', model),
      detail = 'A revoked grant gives a model another key, which servers read when it has been committed.', hint = 'Commit first, then predict.';
  end if;
  perform rafiki._raise(error::jsonb);
end $$;

-- Requests the answer to one input. PL/pgSQL prepares each expression again
-- in a new transaction, at 1 µs each: hence few and large expressions.
create or replace function rafiki._predict_one(is_image boolean, model text, input text, raw anyelement, budget interval) returns text
language plpgsql stable parallel safe
as $$
declare
  model_key uuid;
  reply rafiki.reply;
begin
  select m.key #>> '{}' into model_key from rafiki.model_access m where m.name = model;
  if not found then
    perform rafiki._explain_no_answer(model);
  end if;
  for attempt in 1..@max_attempts@ loop
    reply := rafiki._ask_label(model_key, is_image, rafiki._terms(budget), case
      when coalesce(nullif(pg_catalog.current_setting('rafiki.read_ahead', true), '')::boolean, true) then rafiki._statement(current_user)
      else '' end, input);
    exit when reply.s is distinct from 'e';
    model_key := rafiki._after_refusal(model, model_key, reply.v, attempt);
  end loop;
  if reply.s = 'h' then
    perform rafiki._read_ahead(model_key, raw, reply.loc);
  end if;
  return reply.v;
end $$;

-- Puts the answers, which exist only for inputs that are not null, back in the places of those inputs.
create or replace function rafiki._between_nulls(answers text[], inputs anyarray) returns text[]
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(case when i.input is not null then answers[i.nth] end order by i.place)
  from (select u.input, u.place, count(u.input) over (order by u.place) as nth
        from unnest(inputs) with ordinality u(input, place)) i
$$;

-- One request, repeated if the model's key has changed meanwhile. `form` is the kind of result: 'label', 'detail'
-- or 'explanation' for one input; 'labels' or 'details' for inputs packed by _packed(), as an array literal.
create or replace function rafiki._request(model text, is_image boolean, form text, terms text, input text) returns text
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  model_key uuid := rafiki._model_key(model);
  reply rafiki.reply;
begin
  for attempt in 1..@max_attempts@ loop
    reply := case form when 'labels' then rafiki._ask_labels(model_key, is_image, terms, input)
                       when 'details' then rafiki._ask_details(model_key, is_image, terms, input)
                       when 'detail' then rafiki._ask_detail(model_key, is_image, terms, input)
                       when 'explanation' then rafiki._ask_explanation(model_key, is_image, terms, input)
                       else rafiki._ask_label(model_key, is_image, terms, '', input) end;
    exit when reply.s is distinct from 'e';
    model_key := rafiki._after_refusal(model, model_key, reply.v, attempt);
  end loop;
  return reply.v;
end $$;

-- How many inputs one request for details may have, so that its reply stays near 4 MB: each detail has
-- the probability of every class, or boxes. The server refuses replies of more than four times that size.
create or replace function rafiki._detail_rows(model text) returns int
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select greatest(1, @part_bytes@ / (@detail_bytes@ + coalesce(max(
    case rafiki._output(m.task) when 'boxes' then 10000
                else octet_length(array_to_json(c.classes)::text) + @class_bytes@ * cardinality(c.classes) end), 0)))
  from rafiki.model m join rafiki.model_version v on v.model_id = m.id join rafiki.version_classes c on c.id = v.id where m.name = model
$$;

-- An array of inputs as requests have it. array_send is quicker than array_to_json, since it escapes
-- nothing, but writes texts in the client's encoding. A function of SQL, which the planner inlines.
create or replace function rafiki._packed(inputs text[]) returns text
language sql stable parallel safe
as $$
  select case when pg_catalog.current_setting('client_encoding') = 'UTF8' then pg_catalog.encode(pg_catalog.array_send(inputs), 'base64')
              else pg_catalog.array_to_json(inputs)::text end
$$;

-- Like _request() for an array of inputs, split into requests small enough that parsing one does
-- not delay others: 4 MB of JSON take the server about 15 ms. It refuses longer requests, and more
-- inputs, than a part has (src/protocol). A part holds the inputs that begin within part_bytes of
-- JSON, escapes included, so it is at most twice as long. Longer inputs are sent alone.
create or replace function rafiki._request_in_parts(model text, is_image boolean, form text, terms text, inputs text[]) returns text[]
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  part_bytes constant int := @part_bytes@;
  packed_bytes constant int := 1.5 * part_bytes; -- base64 takes a third more
  part_rows constant int := least(@part_rows@, case form when 'details' then rafiki._detail_rows(model) end);
  part record;
  whole text;
  answers text[] := '{}';
begin
  if pg_column_size(inputs) <= part_bytes and cardinality(inputs) <= part_rows then
    whole := rafiki._packed(inputs);
    if octet_length(whole) <= (case when starts_with(whole, '[') then part_bytes else packed_bytes end) then
      return rafiki._request(model, is_image, form, terms, whole);
    end if;
  end if;
  for part in
    select bool_or(b.bytes > part_bytes) as is_long, string_agg(b.input, '') filter (where b.bytes > part_bytes) as input,
           array_agg(b.input order by b.place) filter (where b.bytes <= part_bytes) as inputs, sum(b.bytes) as bytes
    from (select a.*, (sum(a.bytes) over (order by a.place) - a.bytes) / part_bytes as bytes_part, (a.place - 1) / part_rows as rows_part,
                 count(*) filter (where a.bytes > part_bytes) over (order by a.place) as longs
          from (select u.input, u.place, coalesce(octet_length(to_json(u.input)::text), 4) + 2 as bytes
                from unnest(inputs) with ordinality u(input, place)) a) b
    group by b.rows_part, b.bytes_part, b.longs order by min(b.place)
  loop
    answers := answers || case
      when part.is_long then array[rafiki._request(model, is_image, rtrim(form, 's'), terms, part.input)]
      else rafiki._request(model, is_image, form, terms, case when part.bytes <= packed_bytes then rafiki._packed(part.inputs)
                                                               else array_to_json(part.inputs)::text end)::text[] end;
  end loop;
  return answers;
end $$;

-- The labels or details of a caller's array; a null element gives null.
create or replace function rafiki._predict_array(model text, is_image boolean, form text, inputs text[], budget interval) returns text[]
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  given text[];
  answers text[] := '{}';
begin
  perform rafiki._check_model_given(model);
  if inputs is null then
    return null;
  elsif array_ndims(inputs) > 1 then
    raise exception using errcode = 'array_subscript_error', message = 'inputs has more than one dimension',
      detail = format('It has %s.', array_ndims(inputs)),
      hint = 'Give a plain array, such as: (select array_agg(body) from reviews).';
  end if;
  given := array_remove(inputs, null);
  if cardinality(given) > 0 then
    answers := rafiki._request_in_parts(model, is_image, form, rafiki._terms(budget), given);
  end if;
  if cardinality(given) = cardinality(inputs) then
    return answers;
  end if;
  return rafiki._between_nulls(answers, inputs);
end $$;
