-- The triggers of an attached table run with the writer's rights. A statement waits for predictions no
-- longer than rafiki.fill_wait, and never fails because of the model or the server. A row without an answer
-- keeps a null output, and a mark tells the coordinator to fill it later (6-attach/50-waiting-rows.sql).
--   rafiki_<id>_insert   predicts the first rows that a statement inserts, one by one, so that INSERT … RETURNING
--                        returns the predictions
--   rafiki_<id>_rest     predicts the remaining rows, many in one request, and updates them by their key
--   rafiki_<id>_update   predicts rows whose input is written or whose output is set to null
--   rafiki_<id>_waiting  marks a row without a prediction when it is updated for another reason, because its ctid
--                        changes

-- How long a statement may wait for predictions, in milliseconds.
create or replace function rafiki._fill_wait_ms() returns float8
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  max_ms constant float8 := 1000;
  given constant text := coalesce(nullif(current_setting('rafiki.fill_wait', true), ''), rafiki._default_of('rafiki.fill_wait'));
  ms float8;
  -- at most half the statement_timeout: the statement must not be
  -- cancelled for the sake of predictions that can be made later
  limit_ms constant float8 := nullif(extract(epoch from current_setting('statement_timeout')::interval), 0) * 500;
begin
  begin
    ms := extract(epoch from given::interval) * 1000;
  exception when data_exception then
    ms := -1;
  end;
  if ms between 0 and max_ms then
    return least(ms, limit_ms);
  end if;
  raise exception using errcode = 'invalid_parameter_value', message = format('setting rafiki.fill_wait cannot be "%s"', given),
    detail = 'It is a duration from 0 to 1s: how long a statement may wait for predictions of its rows.',
    hint = format('The default is %s: reset rafiki.fill_wait;', rafiki._default_of('rafiki.fill_wait'));
end $$;

-- Whether this statement still predicts its rows one by one. Used in trigger conditions, where the planner inlines it.
create or replace function rafiki._asks_rows() returns boolean
language sql stable parallel safe
as $$
  select pg_catalog.texteq(pg_catalog.current_setting('rafiki.fill_rest', true), pg_catalog.statement_timestamp()::pg_catalog.text)
         is not true
$$;

-- The SQL expression that converts a label to a column's type. Text types get no cast, which
-- would silently truncate a label that is too long; the assignment raises an error instead.
create or replace function rafiki._answer_sql(type regtype) returns text
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when t.typcategory = 'S' then '%s' else '%s::' || type::text end from pg_type t where t.oid = type
$$;

-- Marks an attached table as having rows to fill. Any session may call this: it only makes the coordinator
-- scan the table, and the coordinator spends at most a tenth of its time on tables where it finds nothing.
create or replace function rafiki._mark(attachment bigint) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  marked constant text := format('rafiki.fill_marked_%s', attachment);
  is_first boolean;
begin
  if current_setting(marked, true) = 'yes' -- by this transaction; a rollback resets it along with the mark
     or not exists (select from rafiki.attachment a where a.id = attachment) then
    return;
  end if;
  is_first := not exists (select from rafiki.attachment_mark m where m.attachment_id = attachment);
  -- the lock holds until the transaction ends, so the coordinator takes the mark only when it can see the rows
  begin
    perform from rafiki.attachment_mark m
    where m.attachment_id = attachment and m.pid = pg_backend_pid() order by m.since desc limit 1 for update skip locked;
    if not found then
      insert into rafiki.attachment_mark (attachment_id, pid) values (attachment, pg_backend_pid());
    end if;
  -- at REPEATABLE READ: the mark in the snapshot has been taken by the coordinator since
  exception when serialization_failure then
    insert into rafiki.attachment_mark (attachment_id, pid) values (attachment, pg_backend_pid());
    is_first := true;
  end;
  if is_first then
    perform rafiki._hint('rafiki_fill', attachment::text);
  end if;
  perform set_config(marked, 'yes', true);
end $$;

create or replace function rafiki._mark_row() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._mark(tg_argv[0]::bigint);
  return new;
end $$;

-- The rows that the running statement has requested, and the time it has waited, over all attached tables.
create or replace function rafiki._fill_spent(out rows int, out ms float8)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  words constant text[] := string_to_array(current_setting('rafiki.fill_spent', true), ';');
begin
  rows := 0;
  ms := 0;
  if words[1] = statement_timestamp()::text and words[2] ~ '^[0-9]{1,9}$' and words[3] ~ '^[0-9]{1,9}$' then
    rows := words[2];
    ms := words[3]::float8 / 1000;
  end if;
end $$;

-- The labels of the inputs from the first on, as many as arrive in time. Errors of the model or the server are raised.
-- Many inputs are split into parts, sized by how long the previous parts took, so that each part can finish in time.
create or replace function rafiki._labels_in_time(model text, is_image boolean, inputs text[], wait_ms float8) returns text[]
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  max_rows constant int := 8192;
  max_bytes constant int := case when is_image then @max_image_request_bytes@ else @max_text_bytes@ end;
  part_bytes constant int := @part_bytes@;
  mean_bytes constant int := 1 + pg_column_size(inputs) / greatest(1, cardinality(inputs));
  model_key uuid := rafiki._model_key(model);
  began constant timestamptz := clock_timestamp();
  rows int := greatest(1, least(256, part_bytes / mean_bytes));
  labels text[] := '{}';
  asked text;
  is_single boolean;
  spent_ms float8 := 0;
  attempt int := 1;
  reply rafiki.reply;
begin
  while cardinality(labels) < cardinality(inputs) and spent_ms < wait_ms and rows > 0 loop
    asked := array_to_json(inputs[cardinality(labels) + 1:cardinality(labels) + rows])::text;
    if octet_length(asked) > max_bytes and rows > 1 then
      rows := rows / 2;
      continue;
    end if;
    is_single := (cardinality(inputs) = 1 or octet_length(asked) > max_bytes) and inputs[cardinality(labels) + 1] is not null;
    reply := rafiki._ask_in_time(model_key, is_image, not is_single, wait_ms - spent_ms,
                                 case when is_single then inputs[cardinality(labels) + 1] else asked end);
    if reply.s is null then
      exit when cardinality(labels) > 0;
      raise exception using errcode = 'connection_failure', message = 'the rafiki server does not answer in time',
        detail = format('The limit was %s ms.', round(wait_ms));
    elsif reply.s = 'e' then
      model_key := rafiki._after_refusal(model, model_key, reply.v, attempt);
      attempt := attempt + 1;
      continue;
    end if;
    labels := labels || case when is_single then array[reply.v] else reply.v::text[] end;
    spent_ms := extract(epoch from clock_timestamp() - began) * 1000;
    rows := least(max_rows, part_bytes / mean_bytes + 1, cardinality(inputs) - cardinality(labels),
                  floor(0.5 * (wait_ms - spent_ms) * cardinality(labels) / greatest(spent_ms, 0.01)));
  end loop;
  return labels;
end $$;

-- The same for triggers, without errors: returns fewer labels, or none, if the statement has used
-- up its waiting time, if the model, the rights, the server or an input causes an error, or during
-- a pause after such an error. The statement's other rows are then left to the coordinator.
create or replace function rafiki._labels_for_writer(model_id bigint, is_image boolean, inputs text[]) returns text[]
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  pause_s constant float8 := 2; -- the shortest pause
  -- up to these, a statement predicts row by row
  first_rows constant int := 32;
  first_ms constant float8 := 50;
  began constant float8 := extract(epoch from clock_timestamp());
  paused_until constant text := current_setting('rafiki.fill_pause', true); -- in this session
  wait_ms constant float8 := rafiki._fill_wait_ms();
  spent record := rafiki._fill_spent();
  labels text[] := '{}';
begin
  if spent.ms < wait_ms and (paused_until ~ '^[0-9]{1,15}([.][0-9]{1,9})?$' and paused_until::float8 > began) is not true then
    begin
      labels := rafiki._labels_in_time((select a.name from rafiki.model_access a where a.id = model_id), is_image, inputs,
                                       wait_ms - spent.ms);
    exception
      when data_exception or program_limit_exceeded then
        null; -- the coordinator's function finds out which row it is
      when others then
        perform set_config('rafiki.fill_pause', (extract(epoch from clock_timestamp()) + greatest(pause_s, 5 * (extract(epoch from clock_timestamp()) - began)))::text, false);
    end;
    spent.ms := spent.ms + (extract(epoch from clock_timestamp()) - began) * 1000;
    spent.rows := spent.rows + cardinality(inputs);
    perform set_config('rafiki.fill_spent', concat_ws(';', statement_timestamp(), spent.rows, round(spent.ms * 1000)), true);
  end if;
  if cardinality(labels) is distinct from cardinality(inputs) or spent.rows >= first_rows or spent.ms >= least(first_ms, wait_ms) then
    perform set_config('rafiki.fill_rest', statement_timestamp()::text, true);
  end if;
  return coalesce(labels, '{}');
end $$;
