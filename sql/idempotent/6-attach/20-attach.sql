-- rafiki_attach and rafiki_detach.

-- Creates the function that fills rows of a table. It belongs to the
-- table's owner, which may be a role that the caller is a member of.
create or replace function rafiki._make_filler(target regclass, out reader uuid, out ticket text)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  before constant text := current_setting('role');
  owner constant name := (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = target);
begin
  reader := gen_random_uuid();
  if owner = current_user then
    ticket := rafiki._create_reader(reader, 'text volatile', format('select rafiki._fill(%L)', reader));
    return;
  end if;
  perform set_config('role', owner, true);
  ticket := rafiki._create_reader(reader, 'text volatile', format('select rafiki._fill(%L)', reader));
  perform set_config('role', before, true);
end $$;

-- Records that a function fills a table. The ticket proves who owns the function and that the caller
-- created it, as in _enqueue(). The owner must be the owner of the table and may use the model.
create or replace function rafiki._add_attachment(model_id bigint, target regclass, reader uuid, ticket text) returns bigint
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  most constant bigint := (select q.value from rafiki.quota q where q.name = 'attachments');
  filler constant regrole := (select c.relowner from pg_class c where c.oid = target);
  attachment bigint;
begin
  if rafiki._maker_of(reader, ticket) is distinct from filler then
    raise exception using errcode = 'insufficient_privilege', message = 'an attachment comes with a function of the table''s owner',
      hint = 'Call rafiki_attach, which makes it.';
  elsif not exists (
    select from rafiki.model m where m.id = model_id and (pg_has_role(filler, m.owner, 'usage') or exists (
      select from rafiki.model_grant g where g.model_id = m.id and pg_has_role(filler, g.role, 'usage'))))
  then
    raise exception using errcode = 'insufficient_privilege', message = format('role %s may not use the model', filler),
      detail = format('Rows of %s are filled as its owner.', target), hint = format('Allow it with: select rafiki_grant(model, %L);', filler);
  elsif (select count(*) from rafiki.attachment a join pg_class c on c.oid = a.target where c.relowner = filler) >= most then
    raise exception using errcode = 'configuration_limit_exceeded', message = format('role %s has too many attached tables', filler),
      detail = format('It has %s.', most), hint = 'Detach some with rafiki_detach. An administrator sets the number in rafiki.quota.';
  end if;
  insert into rafiki.attachment (model_id, target, owner, reader, ticket)
  values (model_id, target, filler, reader, rafiki._ticket_hash(ticket)) returning id into attachment;
  perform rafiki._hint('rafiki_fill', attachment::text); -- the table may have rows without a prediction
  return attachment;
end $$;

create or replace function rafiki._make_triggers(
  attachment bigint, target regclass, kind text, inputs name[], output name, model_id bigint, keep boolean
) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  arguments constant text := format('%s, %s, %L', attachment, model_id, kind) || case when kind = 'columns' then
    (select string_agg(format(', %L', i), '' order by n) from unnest(inputs) with ordinality u (i, n)) else '' end;
  written constant text := (select string_agg(format('%I, ', i), '' order by n) from unnest(inputs) with ordinality u (i, n));
  has_input constant text := rafiki._has_input(kind, inputs, 'new');
  waits constant text := rafiki._waits(kind, inputs, output, 'new');
  is_changed constant text := format('%s is distinct from %s', rafiki._input_value(kind, inputs, 'new'), rafiki._input_value(kind, inputs, 'old'));
  is_kept constant text := format('new.%1$I is not null and new.%1$I::text is distinct from old.%1$I::text', output);
  -- a row written directly to a partition does not fire the statement triggers of the partitioned table
  asks constant text := case (select c.relkind from pg_class c where c.oid = target) when 'p' then 'true' else 'rafiki._asks_rows()' end;
  name text;
begin
  execute format('create trigger rafiki_%s_insert before insert on %s for each row when (%s) execute function rafiki._fill_row(%s)',
                 attachment, target,
                 case when keep then format('%s and %s', waits, asks)
                      else format('%s and (new.%I is not null or %s)', has_input, output, asks) end, arguments);
  execute format('create trigger rafiki_%s_update before update of %s%I on %s for each row when (%s or %s) '
                 'execute function rafiki._fill_row(%s)', attachment, written, output, target, waits,
                 case when keep then format('(%s) and not (%s)', is_changed, is_kept) else is_changed end, arguments);
  execute format('create trigger rafiki_%s_waiting before update on %s for each row when (%s) execute function rafiki._mark_row(%s)',
                 attachment, target, waits, attachment);
  execute format('create trigger rafiki_%s_rest after insert on %s referencing new table as written for each statement '
                 'when (not rafiki._asks_rows()) execute function rafiki._fill_rest(%s)', attachment, target, arguments);
  foreach name in array array['insert', 'update', 'waiting'] loop -- ALWAYS: they also fire for replicated rows
    execute format('alter table %s enable always trigger rafiki_%s_%s', target, attachment, name);
  end loop;
end $$;

create or replace function rafiki._attach(model text, target regclass, input name, output name, keep boolean) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  model_id bigint;
  task rafiki.task;
  inputs name[];
  was_attached boolean;
  made record;
begin
  perform rafiki._check_given(g.what, g.is_given) from (values ('model', model is not null), ('target', target is not null),
    ('output', output is not null), ('keep', keep is not null)) g (what, is_given);
  perform rafiki._model_key(model);
  perform rafiki._check_relation(target);
  perform rafiki._check_column(target, output);
  perform rafiki._check_attachable(target);
  select m.id into model_id from rafiki.model m where m.name = model;
  select t.* into task from rafiki.model m join rafiki.task t on t.name = m.task where m.id = model_id;
  inputs := rafiki._attached_inputs(model, task, target, input, output);
  perform rafiki._check_output(target, output, model_id, task);
  was_attached := rafiki._detach(target, output);
  perform rafiki._check_overwrites(target, inputs, output, model_id, task, keep or was_attached);
  select * into made from rafiki._make_filler(target);
  perform rafiki._make_triggers(rafiki._add_attachment(model_id, target, made.reader, made.ticket), target, task.input, inputs, output,
                                model_id, keep);
end $$;

-- of 0.1.0: with both, a call without keep would be ambiguous
drop function if exists rafiki_attach(text, regclass, name, name);
create or replace function rafiki_attach(
  model text, target regclass, input name default null, output name default null, keep boolean default false
)
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._attach(model, target, input, output, keep) $$;

comment on function rafiki_attach(text, regclass, name, name, boolean) is $$Keeps a column of your table filled with predictions. New rows, and rows whose input changes, are predicted while they
are written if the server answers within the setting rafiki.fill_wait (500ms; at most 1s), otherwise a little later;
until then the output is null. A server that does not answer makes no write fail and delays it by no more than that.
Existing rows without an output are filled, too; to predict rows again, set their output to null. Attaching to the same
output again replaces the model. Before you drop a column that the model reads, call rafiki_detach: ALTER TABLE … DROP COLUMN
refuses because of the trigger, and with CASCADE drops the trigger, which leaves the output as it is. See rafiki.attachments.

Arguments:
  model: name of a model that you own or were granted
  target: the table, which must belong to you
  input: its column of texts or images; default: the only one. Not for a model of several columns, which reads them by name
  output: its column for the label or the number
  keep: whether to keep an output value that a statement writes itself

Result: nothing

Errors:
  42704: no such model, or you may not use it
  42809: not a table
  42501: the table is not yours, or its owner may not use the model
  42703: no such column, or one that the model reads is missing
  42702: several columns could be the input
  42701: input and output are the same column
  42804: the model cannot read the type of an input, or the output cannot hold predictions
  428C9: an input is a generated column
  22023: an input is named for a model of several columns
  42P10: the output is what the model learnt from, or holds something else than predictions
  53400: more attached tables than rafiki.quota allows

Example:
  select rafiki_attach('reviews_sentiment', 'inbox', input => 'body', output => 'mood');$$;

-- The id of the attachment of an output column; null if there is none.
create or replace function rafiki._attachment_of(target regclass, output name) returns bigint
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select split_part(t.tgname, '_', 2)::bigint
  from pg_trigger t join pg_attribute a on a.attrelid = t.tgrelid and a.attnum = t.tgattr[cardinality(t.tgattr) - 1] and a.attname = output
  where t.tgrelid = target and t.tgname ~ '^rafiki_[0-9]{1,18}_update$' and t.tgparentid = 0 limit 1
$$;

-- Deletes the attachments of a table whose triggers no longer exist. Any
-- role may call this, because only the table's owner can drop the triggers.
create or replace function rafiki._forget_attachments(target regclass) returns boolean
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from rafiki.attachment a
  where a.target = _forget_attachments.target and not exists (
    select from pg_trigger t where t.tgrelid = a.target and t.tgname = format('rafiki_%s_update', a.id));
  return found;
end $$;

-- Drops the triggers of an output, and those that are left of an attachment of which a column was dropped.
create or replace function rafiki._detach(target regclass, output name) returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  attachment constant bigint := rafiki._attachment_of(target, output);
  statement text;
  is_gone boolean;
begin
  perform rafiki._check_given('target', target is not null);
  perform rafiki._check_given('output', output is not null);
  for statement in
    select format('drop trigger %I on %s', t.tgname, target) from pg_trigger t
    where t.tgrelid = target and (
      t.tgname ~ '^rafiki_[0-9]{1,18}_(insert|update|waiting|rest)$' and t.tgparentid = 0
        and (split_part(t.tgname, '_', 2)::bigint = attachment or not exists (
          select from pg_trigger u where u.tgrelid = target and u.tgname = format('rafiki_%s_update', split_part(t.tgname, '_', 2))))
      or t.tgname = 'rafiki_' || output and t.tgfoid = 'rafiki._fill_prediction()'::regprocedure)
  loop
    execute statement;
  end loop;
  is_gone := rafiki._forget_attachments(target) or statement is not null;
  if not is_gone then
    perform rafiki._check_column(target, output);
  end if;
  return is_gone;
end $$;

create or replace function rafiki_detach(target regclass, output name) returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._detach(target, output) $$;

comment on function rafiki_detach(regclass, name) is $$Stops filling an output column of rafiki_attach; its predictions stay.

Arguments:
  target: the table, which must belong to you
  output: its column of predictions

Result: false if no model was attached

Errors:
  42501: the table is not yours
  42703: there is no such column, nor was there an attached one
  22004: a name is null

Example:
  select rafiki_detach('inbox', 'mood');$$;
