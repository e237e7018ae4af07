-- Importing models from ONNX files. A file is stored in parts, in the transaction that begins the import;
-- the coordinator checks it in a process without rights (docs/decisions/0043-imported-models.md).

-- Queues an import that is still without its file. As with a study, a
-- function that only the caller could create proves which role it is.
create or replace function rafiki._enqueue_import(request rafiki.import, reader uuid, ticket text) returns bigint
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  most constant bigint := (select q.value from rafiki.quota q where q.name = 'open_imports');
  asker constant regrole := rafiki._maker_of(reader, ticket);
  present constant text := (select m.task from rafiki.model m where m.name = request.model);
  most_spec constant int := @max_import_spec_bytes@;
  spec_bytes constant bigint := octet_length(request.spec::text);
  begun bigint;
begin
  if asker is null then
    raise exception using errcode = 'insufficient_privilege', message = 'an import comes with a function that proves who asks for it',
      detail = 'There is none of that ticket.',
      hint = 'Call rafiki_import, which makes it.';
  end if;
  perform rafiki._check_task(request.task);
  perform rafiki._check_model_name(request.model, asker);
  if present <> request.task then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('model "%s" is one for %s', request.model, present),
      detail = format('The import is for %s: callers of the model would get other answers.', request.task), hint = 'Choose another name.';
  elsif request.bytes > @max_import_bytes@ or request.bytes < 1 then
    raise exception using errcode = 'program_limit_exceeded',
      message = case when request.bytes < 1 then 'the ONNX file is empty' else 'the ONNX file is too large' end,
      detail = format('It has %s; the maximum is %s.', rafiki._size_text(request.bytes), rafiki._size_text(@max_import_bytes@)),
      hint = 'Export it in half precision or with weights in 8 bits, or import a smaller model.';
  elsif spec_bytes > most_spec then
    raise exception using errcode = 'program_limit_exceeded', message = 'spec is too large',
      detail = format('It has %s; the maximum is %s.', rafiki._size_text(spec_bytes), rafiki._size_text(most_spec)),
      hint = 'Keep only what the import needs: a tokenizer without its training data, few examples.';
  elsif (select count(*) from rafiki.import i where i.owner = asker and i.state in ('uploading', 'queued', 'checking')) >= most then
    raise exception using errcode = 'configuration_limit_exceeded', message = format('role %s has too many open imports', asker),
      detail = format('%s are waiting to be checked.', most),
      hint = 'Wait for some of them: rafiki.imports lists them. An administrator sets the number in rafiki.quota.';
  elsif not pg_has_role(asker, rafiki._name_owner(request.model, request.task, asker), 'usage') then
    perform rafiki._raise_name_taken(request.model);
  elsif rafiki._has_uncommitted_study(request.model) then
    raise lock_not_available;
  end if;
  insert into rafiki.import (owner, model, task, spec, bytes, deploy, ticket)
  values (asker, request.model, request.task, request.spec, request.bytes, request.deploy, rafiki._ticket_hash(ticket)) returning id into begun;
  return begun;
exception when lock_not_available then
  raise exception using errcode = 'object_in_use', message = format('model "%s" is being trained or changed already', request.model),
    detail = 'By a transaction that has not been committed yet.', hint = 'Try again in a moment.';
end $$;

create or replace function rafiki._size_text(bytes bigint) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select case when bytes < 2097152 then bytes || ' bytes' else round(bytes / 1048576.0) || ' MB' end $$;

-- The import that a ticket proves to be the caller's, while its
-- transaction lasts: files are stored as a whole or not at all.
create or replace function rafiki._uploading(import bigint, ticket text) returns bigint
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  found_id constant bigint := (
    select i.id from rafiki.import i where i.id = import and i.state = 'uploading' and i.created_at = now() and i.ticket = rafiki._ticket_hash(_uploading.ticket));
begin
  if found_id is null then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = 'the import was not begun in this transaction',
      detail = format('Its number is %s.', import),
      hint = 'Call rafiki_import, or: rafiki import FILE.';
  end if;
  return found_id;
end $$;

create or replace function rafiki._add_import_part(import bigint, ticket text, number int, data bytea) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  own constant bigint := rafiki._uploading(import, ticket);
begin
  if number not between 0 and @max_import_bytes@ / @import_part_bytes@ or octet_length(data) > @import_part_bytes@ then
    raise exception using errcode = 'program_limit_exceeded', message = 'a part of an ONNX file is too large',
      detail = format('Part %s has %s bytes.', number, octet_length(data)), hint = 'Call rafiki_import, or: rafiki import FILE.';
  end if;
  insert into rafiki.import_part (import_id, number, data) values (own, number, data);
end $$;

create or replace function rafiki._end_import(import bigint, ticket text) returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  own constant bigint := rafiki._uploading(import, ticket);
  given constant bigint := (select coalesce(sum(octet_length(p.data)), 0) from rafiki.import_part p where p.import_id = own);
begin
  update rafiki.import i set state = 'queued', ticket = null where i.id = own and i.bytes = given;
  if not found then
    raise exception using errcode = 'data_corrupted', message = 'the ONNX file did not arrive as a whole',
      detail = format('%s bytes of it did.', given), hint = 'Import it again.';
  end if;
end $$;

-- Begins an import of the current role; the ticket admits the parts of the file.
create or replace function rafiki._begin_import(
  name text, task text, bytes bigint, spec jsonb, deploy boolean, out import bigint, out ticket text
)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  reader constant uuid := gen_random_uuid();
  request rafiki.import;
begin
  perform rafiki._check_given('name', name is not null);
  perform rafiki._check_given('task', task is not null);
  if jsonb_typeof(spec) <> 'object' then
    raise exception using errcode = 'invalid_parameter_value', message = 'spec must be a JSON object',
      detail = format('It is of type %s.', jsonb_typeof(spec)), hint = 'Such as ''{"classes": ["cat", "dog"]}''; docs/importing.md lists its fields.';
  end if;
  perform rafiki._check_may_create_reader(quote_ident(current_user)::regrole, format('role %s may not import models', current_user));
  request.model := name;
  request.task := task;
  request.bytes := bytes;
  request.spec := coalesce(spec, '{}');
  request.deploy := coalesce(deploy, true);
  ticket := rafiki._create_reader(reader, 'text', 'select null::pg_catalog.text');
  import := rafiki._enqueue_import(request, reader, ticket);
end $$;

create or replace function rafiki._import(name text, task text, onnx bytea, spec jsonb, deploy boolean) returns bigint
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  part constant int := @import_part_bytes@;
  begun record;
begin
  perform rafiki._check_given('onnx', onnx is not null);
  begun := rafiki._begin_import(name, task, octet_length(onnx), spec, deploy);
  for number in 0..(octet_length(onnx) - 1) / part loop
    perform rafiki._add_import_part(begun.import, begun.ticket, number, substr(onnx, number * part + 1, part));
  end loop;
  perform rafiki._end_import(begun.import, begun.ticket);
  return begun.import;
end $$;

create or replace function rafiki_import(name text, task text, onnx bytea, spec jsonb default null, deploy boolean default true) returns bigint
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._import(name, task, onnx, spec, deploy) $$;

comment on function rafiki_import(text, text, bytea, jsonb, boolean) is $$Imports a model from an ONNX file: one of scikit-learn, PyTorch, TensorFlow or anything else, or one that rafiki_export
gave. After the transaction has been committed the file is checked; then it is a version of the model of that name, as if a study had made it, but without a
score, and it is deployed. It answers in a process for your imported models alone. For files on your disk: rafiki import FILE.

Arguments:
  name: of the model; if you have one of that name, it gets another version
  task: what it does, as rafiki.task lists it
  onnx: the bytes of the file
  spec: what the file does not say, such as {"classes": ["cat", "dog"], "image": {"size": 224}}; docs/importing.md has all fields
  deploy: whether it is to answer

Result: the number of the import; the view rafiki.imports shows what becomes of it, and rafiki_wait_import waits for it

Errors:
  22004: an argument is null
  22023: spec is no JSON object
  42501: you may not create functions in schema rafiki_reader
  42704: no such task
  42710: the name belongs to another role
  53400: too many open imports
  54000: the file is empty, or too large
  55000: the model of that name is for another task
  55006: a study is training it

Example:
  select rafiki_import('photos_copy', 'image_classification', rafiki_export('photos_image_classification'));$$;

-- VOLATILE, so that each query takes a fresh snapshot and sees what other sessions have committed.
create or replace function rafiki._wait_import(import bigint, timeout interval) returns text
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  deadline constant timestamptz := clock_timestamp() + greatest(least(timeout, interval '1000 days'), interval '0');
  pause float8 := 0.05;
  seen record;
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception using errcode = 'invalid_transaction_state', message = 'rafiki_wait_import sees no progress in this transaction',
      detail = format('Its isolation level is %s.', current_setting('transaction_isolation')),
      hint = 'Call it at read committed, outside of this transaction.';
  end if;
  loop
    select i.state, i.created_at, i.error, d.state as deployment, d.error as load_error into seen
    from rafiki.import i left join rafiki.model m on m.name = i.model left join rafiki.model_version v on v.model_id = m.id and v.version = i.version
    left join lateral (select d.state, d.error from rafiki.deployment d where d.version_id = v.id order by d.id desc limit 1) d on true
    where i.id = import;
    if not found then
      raise exception using errcode = 'undefined_object', message = format('import %s does not exist', import),
        detail = 'Or it is another role''s.', hint = 'The view rafiki.imports lists your imports.';
    elsif seen.created_at = now() then -- now() is this transaction's start
      raise exception using errcode = 'object_not_in_prerequisite_state', message = format('import %s is not committed yet', import),
        detail = 'Its file is checked after the transaction that began it.',
        hint = 'Commit first and then wait.';
    elsif seen.state = 'failed' then
      perform rafiki._raise(seen.error);
    elsif seen.deployment = 'failed' then
      perform rafiki._raise(seen.load_error);
    elsif seen.state = 'completed' and seen.deployment is distinct from 'loading' or clock_timestamp() >= deadline then
      return case when seen.state = 'completed' then coalesce(seen.deployment, 'completed') else seen.state end;
    end if;
    perform pg_sleep(least(pause, greatest(0, extract(epoch from deadline - clock_timestamp()))));
    pause := least(pause * 2, 1);
  end loop;
end $$;

create or replace function rafiki_wait_import(import bigint, timeout interval default '10 min') returns text
language sql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._wait_import(import, timeout) $$;

comment on function rafiki_wait_import(bigint, interval) is $$Waits until an import has ended and its model answers.

Arguments:
  import: its number
  timeout: how long to wait; with 0 it returns immediately

Result: ready, or completed for a version that is not deployed; after the timeout queued, checking, or loading

Errors:
  42704: no such import of yours
  55000: the import is not committed yet
  25000: the transaction is REPEATABLE READ or SERIALIZABLE, and would see no progress
  those that the check of the file has found: docs/importing.md lists them

Example:
  select rafiki_wait_import(i.import) from rafiki.imports i where i.model = 'photos_copy';$$;
