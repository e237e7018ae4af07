-- The triggers of an attached table, with the rights of whoever writes. No writer waits longer than rafiki.fill_wait in a statement, and
-- none fails for what has become of model or server: a row without an answer keeps a null output, which says that it is still to come,
-- and a mark tells the coordinator to have it filled (6-attach/50-waiting-rows.sql).
--   rafiki_<id>_insert   the first rows that a statement inserts, one by one, so that INSERT … RETURNING has them
--   rafiki_<id>_rest     the other ones, many in one request, and then an UPDATE by their key
--   rafiki_<id>_update   rows whose input is written, or whose output is set to null
--   rafiki_<id>_waiting  marks a row that still waits when it is written for any other reason: it may have moved

-- How long a statement may wait for predictions, in milliseconds.
create or replace function rafiki._fill_wait_ms() returns float8
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  most_ms constant float8 := 1000;
  given constant text := coalesce(nullif(current_setting('rafiki.fill_wait', true), ''), rafiki._usual('rafiki.fill_wait'));
  ms float8;
  -- a statement that its time limit ends would fail, for the sake of what can be done later
  limit_ms constant float8 := nullif(extract(epoch from current_setting('statement_timeout')::interval), 0) * 500;
begin
  begin
    ms := extract(epoch from given::interval) * 1000;
  exception when data_exception then
    ms := -1;
  end;
  if ms between 0 and most_ms then
    return least(ms, limit_ms);
  end if;
  raise exception using errcode = 'invalid_parameter_value', message = format('setting rafiki.fill_wait cannot be "%s"', given),
    detail = 'It is a length of time from 0 to 1s: how long a statement may wait for predictions of its rows.',
    hint = format('The default is %s: reset rafiki.fill_wait;', rafiki._usual('rafiki.fill_wait'));
end $$;

-- Whether rows are still asked for one by one in this statement. In conditions of triggers, where the planner inlines it.
create or replace function rafiki._asks_rows() returns boolean
language sql stable parallel safe
as $$
  select pg_catalog.texteq(pg_catalog.current_setting('rafiki.fill_rest', true), pg_catalog.statement_timestamp()::pg_catalog.text)
         is not true
$$;

-- The columns of an attachment on a relation, a partition perhaps: those of its trigger for updates. No row: one of them was dropped.
create or replace function rafiki._attached(relation oid, attachment text)
returns table (input name, output name, type regtype, is_partition boolean)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select i.attname, o.attname, o.atttypid::regtype, t.tgparentid <> 0
  from pg_trigger t
  join pg_attribute i on i.attrelid = relation and i.attnum = t.tgattr[0]
  join pg_attribute o on o.attrelid = relation and o.attnum = t.tgattr[1]
  where t.tgrelid = relation and t.tgname = format('rafiki_%s_update', attachment)
$$;

-- An input as it is sent, as an expression: %s is the column. Null where it is too large to be.
create or replace function rafiki._input_sql(is_image boolean) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when is_image
    then 'case when pg_catalog.octet_length(%1$s) <= 33554432 then pg_catalog.encode(%1$s, ''base64'') end'
    else 'case when pg_catalog.octet_length(%1$s::pg_catalog.text) <= 8000000 then %1$s::pg_catalog.text end' end
$$;

-- A label as the value of a column, as an expression. A text that is too long for its column is refused, as in any assignment.
create or replace function rafiki._answer_sql(type regtype) returns text
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when t.typcategory = 'S' then '%s' else '%s::' || type::text end from pg_type t where t.oid = type
$$;

-- Says that rows of an attached table wait. Any session may: it makes the coordinator look at the table, which it does only for a tenth
-- of its time where it finds nothing there.
create or replace function rafiki._mark(attachment bigint) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  marked constant text := format('rafiki.fill_marked_%s', attachment);
  is_first boolean;
begin
  if current_setting(marked, true) = 'yes' -- by this transaction; what is rolled back is not marked any more
     or not exists (select from rafiki.attachment a where a.id = attachment) then
    return;
  end if;
  is_first := not exists (select from rafiki.attachment_mark m where m.attachment_id = attachment);
  -- held until the end of the transaction: only then the coordinator takes it, and sees the rows
  begin
    perform from rafiki.attachment_mark m
    where m.attachment_id = attachment and m.pid = pg_backend_pid() order by m.since desc limit 1 for update skip locked;
    if not found then
      insert into rafiki.attachment_mark (attachment_id, pid) values (attachment, pg_backend_pid());
    end if;
  exception when serialization_failure then -- at REPEATABLE READ: it sees one that the coordinator has taken meanwhile
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

-- What the statement that runs has asked and waited for, in all attached tables.
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

-- The labels of the first of some inputs: as many as are there in time. Raises what has become of model or server. Of many inputs
-- parts are asked whose answers can be awaited to the end, by how long those before them took.
create or replace function rafiki._labels_in_time(model text, is_image boolean, inputs text[], wait_ms float8) returns text[]
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  most_rows constant int := 8192;
  most_bytes constant int := case when is_image then 46000000 else 8000000 end; -- the server takes a little more
  part_bytes constant int := 4000000;
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
    if octet_length(asked) > most_bytes and rows > 1 then
      rows := rows / 2;
      continue;
    end if;
    is_single := (cardinality(inputs) = 1 or octet_length(asked) > most_bytes) and inputs[cardinality(labels) + 1] is not null;
    reply := rafiki._ask_in_time(model_key, is_image, not is_single, wait_ms - spent_ms,
                                 case when is_single then inputs[cardinality(labels) + 1] else asked end);
    if reply.s is null then
      exit when cardinality(labels) > 0;
      raise exception using errcode = 'connection_failure', message = 'the rafiki server does not answer in time',
        detail = format('It was waited for for %s ms.', round(wait_ms));
    elsif reply.s = 'e' then
      model_key := rafiki._after_refusal(model, model_key, reply.v, attempt);
      attempt := attempt + 1;
      continue;
    end if;
    labels := labels || case when is_single then array[reply.v] else reply.v::text[] end;
    spent_ms := extract(epoch from clock_timestamp() - began) * 1000;
    rows := least(most_rows, part_bytes / mean_bytes + 1, cardinality(inputs) - cardinality(labels),
                  floor(0.5 * (wait_ms - spent_ms) * cardinality(labels) / greatest(spent_ms, 0.01)));
  end loop;
  return labels;
end $$;

-- The same for whoever writes: fewer labels, or none, where the statement has waited long enough, something is wrong with model, right or
-- server, and for a while after that, or with one of the inputs. Then the rest of the statement's rows is left.
create or replace function rafiki._labels_for_writer(model_id bigint, is_image boolean, inputs text[]) returns text[]
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  pause_s constant float8 := 2; -- at the least
  -- of a statement, that are asked one by one
  first_rows constant int := 32;
  first_ms constant float8 := 50;
  began constant float8 := extract(epoch from clock_timestamp());
  paused_until constant text := current_setting('rafiki.fill_pause', true); -- by this session
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
