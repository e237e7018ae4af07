-- A model attached to a table: what may be attached, and what attaching makes. How rows get their predictions is in 083 and 084;
-- docs/decisions/0023-rows-that-never-wait.md says why.

-- The trigger of 0.1.0, which tables still have that were attached then: it asks in the writer's statement, which fails where there is no
-- answer. Attaching again takes its place. Arguments: model, input column, output column.
create or replace function rafiki._fill_prediction() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  model constant text := tg_argv[0];
  input_kind constant text := rafiki._input_kind(model);
  input text;
  prediction text;
begin
  execute format(case input_kind when 'image' then 'select rafiki._image_text(($1).%I)' else 'select ($1).%I::text' end, tg_argv[1])
    into input using new;
  prediction := (rafiki._predict_part(model, input_kind, array[input]))[1];
  return jsonb_populate_record(new, jsonb_build_object(tg_argv[2], prediction));
end $$;

-- Stops where rows of a relation cannot be written to one by one, or are not the caller's to have filled.
create or replace function rafiki._check_attachable(target regclass) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  relation pg_class;
  owner regrole;
begin
  select * into relation from pg_class c where c.oid = target;
  owner := relation.relowner;
  if relation.relkind not in ('r', 'p') then
    raise exception using errcode = 'wrong_object_type', message = format('%s is not a table', target),
      detail = 'Only a table has rows that change.', hint = 'Attach the model to the table that is written to.';
  elsif not pg_has_role(owner, 'usage') then
    raise exception using errcode = 'insufficient_privilege', message = format('must be owner of table %s', target),
      detail = format('It belongs to role %s, as whom rows are filled that nobody waits for.', owner),
      hint = format('Let that role call rafiki_attach, or make yourself a member: grant %s to %I;', owner, current_user);
  elsif not has_schema_privilege(owner, 'rafiki_reader', 'create') then
    raise exception using errcode = 'insufficient_privilege', message = format('tables of role %s cannot be filled', owner),
      detail = 'Nobody can have his tables filled for him who may not create functions in schema rafiki_reader.',
      hint = format('An administrator allows it with: grant create on schema rafiki_reader to %s;', owner);
  end if;
end $$;

-- Stops where the column to read is none that the model reads, or is not there yet when a trigger looks.
create or replace function rafiki._check_input(target regclass, input name, task rafiki.task) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  attribute pg_attribute;
begin
  select * into attribute from pg_attribute a where a.attrelid = target and a.attname = input;
  if not exists (select from rafiki._task_columns(target, task) c where c.name = input and c.is_feature) then
    raise exception using errcode = 'datatype_mismatch', message = format('model of task %s does not read such a column', task.name),
      detail = format('Column "%s" has type %s.', input, format_type(attribute.atttypid, attribute.atttypmod)),
      hint = format('Name a column of type %s.', case task.input when 'image' then 'bytea' else 'text' end);
  elsif attribute.attgenerated <> '' then
    raise exception using errcode = 'generated_always', message = format('column "%s" of %s is generated', input, target),
      detail = 'It has no value yet when triggers see a new row.', hint = 'Attach the model to the column that it is generated from.';
  end if;
end $$;

-- The one text that a query gives, with the rights of a table's owner: to look into the table, or at what its types do, is to run his code.
-- SET ROLE would not keep that from becoming the caller again.
create or replace function rafiki._as_owner(target regclass, query text) returns text
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  before constant text := current_setting('role');
  owner constant name := (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = target);
  name constant text := format('pg_temp.%I', gen_random_uuid());
  answer text;
begin
  if owner = current_user then
    execute query into answer;
    return answer;
  end if;
  perform set_config('role', owner, true);
  execute format('create function %s() returns text language sql volatile security definer set search_path = pg_catalog, pg_temp as %L',
                 name, query);
  execute format('grant execute on function %s() to public', name);
  perform set_config('role', before, true);
  execute format('select %s()', name) into answer;
  execute format('drop function %s()', name);
  return answer;
end $$;

-- Why a column does not take a label; null where it does. As the owner of the column's table.
create or replace function rafiki._label_fault(type text, label text) returns text
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('select from jsonb_to_record(jsonb_build_object(''v'', %s)) as r (v %s)',
                 case when type in ('json', 'jsonb') then '$1::jsonb' else '$1' end, type) using label;
  return null;
exception when data_exception or integrity_constraint_violation then
  return sqlerrm;
end $$;

-- Stops where a column cannot be written by us, or cannot hold what the model says. Null means that the prediction is still to come.
create or replace function rafiki._check_output(target regclass, output name, model_id bigint, task rafiki.task) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  attribute pg_attribute;
  type text;
  fault text;
begin
  select * into attribute from pg_attribute a where a.attrelid = target and a.attname = output;
  type := format_type(attribute.atttypid, attribute.atttypmod);
  fault := case
    when attribute.attidentity <> '' then 'It is an identity column.'
    when attribute.attgenerated <> '' then 'It is a generated column.'
    when attribute.attnotnull or exists (select from pg_type t where t.oid = attribute.atttypid and t.typnotnull)
      then 'It takes no null, which says that a prediction is still to come.'
    when exists (select from pg_partitioned_table p, unnest(p.partattrs) k where p.partrelid in (
      select target union select pg_partition_ancestors(target) union select r.relid from pg_partition_tree(target) r)
      and k = attribute.attnum) then 'Its table is partitioned by it.'
    when exists (select from pg_index i where i.indrelid = target and i.indisunique and i.indnkeyatts = 1 and i.indkey[0] = attribute.attnum)
      then 'A unique index is on it, and many rows have the same prediction.'
    when task.output = 'boxes' and type not in ('text', 'json', 'jsonb') then format('It has type %s, and boxes are an array in JSON.', type)
    when type = 'boolean' and not exists (select from rafiki.model_version v where v.model_id = _check_output.model_id)
      then 'It has type boolean.' end;
  if fault is null and task.output = 'label' then
    fault := rafiki._as_owner(target, format(
      $query$select format('It has type %%s and does not take the label "%%s": %%s.', %1$L, left(c.label, 80), c.fault)
             from (select l.label, rafiki._label_fault(%1$L, l.label) as fault from unnest(%2$L::text[]) l (label) offset 0) c
             where c.fault is not null limit 1$query$, type, array(
        select unnest(c.classes) from rafiki.model_version v join rafiki.version_classes c on c.id = v.id
        where v.model_id = _check_output.model_id order by v.version desc limit 10000)));
  end if;
  if fault is not null then
    raise exception using errcode = 'datatype_mismatch', message = format('column "%s" of %s cannot hold predictions', output, target),
      detail = fault, hint = 'Add a column for them: alter table … add column … text;';
  end if;
end $$;

-- Stops where predictions would take the place of something else: of what the model learnt from, or of anything that it does not say.
create or replace function rafiki._check_overwrites(
  target regclass, input name, output name, model_id bigint, task rafiki.task, keep boolean
) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  classes constant text[] := array(
    select distinct unnest(c.classes) from rafiki.model_version v join rafiki.version_classes c on c.id = v.id
    where v.model_id = _check_overwrites.model_id);
  study record;
  strange text;
begin
  select s.id, s.features[1] as feature, s.features[1] = output as is_swapped into study
  from rafiki.model_version v join rafiki.study s on s.id = v.study_id
  where v.model_id = _check_overwrites.model_id and (
    s.features[1] = output and (s.source = _check_overwrites.target or s.target = input)
    or s.target = output and (s.source = _check_overwrites.target or exists ( -- a view of it
      select from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
      join pg_attribute a on a.attrelid = _check_overwrites.target and a.attname = output
      where r.ev_class = s.source and d.refclassid = 'pg_class'::regclass and d.refobjid = _check_overwrites.target and d.refobjsubid = a.attnum)))
  limit 1;
  if study.is_swapped then
    raise exception using errcode = 'invalid_column_reference', message = 'input and output seem to be swapped',
      detail = format('Study %s learnt from column "%s", which predictions would overwrite.', study.id, output),
      hint = format('Say input => %L, output => …', study.feature);
  elsif found then
    raise exception using errcode = 'invalid_column_reference',
      message = format('column "%s" of %s is what the model learnt from', output, target),
      detail = format('Study %s took its labels from there; predictions would overwrite them.', study.id),
      hint = 'Add a column for predictions: alter table … add column … text;';
  end if;
  if keep or task.output <> 'label' or cardinality(classes) = 0 then
    return;
  end if;
  strange := rafiki._as_owner(target, format(
    'select left(x::text, 80) from (select %1$I as x from %2$s where %1$I is not null limit 1000) t '
    'where x::text not in (select unnest(%3$L::text[])) limit 1', output, target, classes));
  if strange is not null then
    raise exception using errcode = 'invalid_column_reference',
      message = format('column "%s" of %s holds something else than predictions', output, target),
      detail = format('The model never says "%s".', strange),
      hint = 'Name another column, or attach with keep => true: then what writers give is kept, and what is null is predicted.';
  end if;
end $$;

-- Makes the function that fills rows of a table as its owner, who may be another role that the caller belongs to.
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

-- Writes down that a table is filled by a function: whose that is, and that the caller has made it, the ticket proves, as in _enqueue().
-- It has to be the owner of the table, who may use the model.
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
      detail = format('Rows of %s are filled as its owner.', target), hint = format('Let him: select rafiki_grant(model, %L);', filler);
  elsif (select count(*) from rafiki.attachment a join pg_class c on c.oid = a.target where c.relowner = filler) >= most then
    raise exception using errcode = 'configuration_limit_exceeded', message = format('role %s has too many attached tables', filler),
      detail = format('It has %s.', most), hint = 'Detach some with rafiki_detach. An administrator sets the number in rafiki.quota.';
  end if;
  insert into rafiki.attachment (model_id, target, owner, reader, ticket)
  values (model_id, target, filler, reader, rafiki._ticket_hash(ticket)) returning id into attachment;
  perform rafiki._hint('rafiki_fill', attachment::text); -- rows may wait there already
  return attachment;
end $$;

create or replace function rafiki._make_triggers(
  attachment bigint, target regclass, input name, output name, model_id bigint, is_image boolean, keep boolean
) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  arguments constant text := format('%s, %s, %L', attachment, model_id, case when is_image then 'image' else 'text' end);
  has_input constant text := format('new.%I is not null', input);
  waits constant text := format('%s and new.%I is null', has_input, output);
  is_changed constant text := format(case when is_image then 'new.%1$I is distinct from old.%1$I'
                                          else 'new.%1$I::text is distinct from old.%1$I::text' end, input);
  is_kept constant text := format('new.%1$I is not null and new.%1$I::text is distinct from old.%1$I::text', output);
  -- rows of a partition may be written without a statement's trigger of its table
  asks constant text := case (select c.relkind from pg_class c where c.oid = target) when 'p' then 'true' else 'rafiki._asks_rows()' end;
  name text;
begin
  execute format('create trigger rafiki_%s_insert before insert on %s for each row when (%s) execute function rafiki._fill_row(%s)',
                 attachment, target,
                 case when keep then format('%s and %s', waits, asks)
                      else format('%s and (new.%I is not null or %s)', has_input, output, asks) end, arguments);
  execute format('create trigger rafiki_%s_update before update of %I, %I on %s for each row when (%s or %s) '
                 'execute function rafiki._fill_row(%s)', attachment, input, output, target, waits,
                 case when keep then format('(%s) and not (%s)', is_changed, is_kept) else is_changed end, arguments);
  execute format('create trigger rafiki_%s_waiting before update on %s for each row when (%s) execute function rafiki._mark_row(%s)',
                 attachment, target, waits, attachment);
  execute format('create trigger rafiki_%s_rest after insert on %s referencing new table as written for each statement '
                 'when (not rafiki._asks_rows()) execute function rafiki._fill_rest(%s)', attachment, target, arguments);
  foreach name in array array['insert', 'update', 'waiting'] loop -- also for rows that are replicated
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
  was_attached boolean;
  made record;
begin
  perform rafiki._check_given(g.what, g.is_given) from (values ('model', model is not null), ('target', target is not null),
    ('input', input is not null), ('output', output is not null), ('keep', keep is not null)) g (what, is_given);
  perform rafiki._model_key(model);
  perform rafiki._check_relation(target);
  perform rafiki._check_column(target, input);
  perform rafiki._check_column(target, output);
  if input = output then
    raise exception using errcode = 'duplicate_column', message = 'input and output are the same column',
      detail = format('Column "%s".', input), hint = 'Add a column for the prediction: alter table … add column … text;';
  end if;
  perform rafiki._check_attachable(target);
  select m.id into model_id from rafiki.model m where m.name = model;
  select t.* into task from rafiki.model m join rafiki.task t on t.name = m.task where m.id = model_id;
  perform rafiki._check_input(target, input, task);
  perform rafiki._check_output(target, output, model_id, task);
  was_attached := rafiki._detach(target, output);
  perform rafiki._check_overwrites(target, input, output, model_id, task, keep or was_attached);
  select * into made from rafiki._make_filler(target);
  perform rafiki._make_triggers(rafiki._add_attachment(model_id, target, made.reader, made.ticket), target, input, output, model_id,
                                task.input = 'image', keep);
end $$;

drop function if exists rafiki_attach(text, regclass, name, name); -- of 0.1.0: a call without keep would mean either
create or replace function rafiki_attach(model text, target regclass, input name, output name, keep boolean default false)
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._attach(model, target, input, output, keep) $$;

comment on function rafiki_attach(text, regclass, name, name, boolean) is $$From now on each row of your table has a prediction. New rows, and those whose input is written, have it at once where
the server answers within the setting rafiki.fill_wait (500ms; 1s is the most), and else a little later: until then the
output is null. No write fails or waits for a server that does not answer. Rows that are there already and have no
output are filled, too; to have some predicted anew, set their output to null. Attaching to the same output again
changes the model. See rafiki.attachments.

Arguments:
  model: name of a model that you own or were granted
  target: the table, which has to be yours
  input: its column of texts or images
  output: its column for the label
  keep: whether an output that the writer gives is kept

Result: nothing

Errors:
  42704: no such model, or none that you may use
  42809: not a table
  42501: the table is not yours, or its owner may not use the model
  42703: no such column
  42701: input and output are the same column
  42804: a column of a type that the model does not read, or that holds no predictions
  428C9: the input is a generated column
  42P10: the output is what the model learnt from, or holds something else than predictions
  53400: more attached tables than rafiki.quota allows

Example:
  select rafiki_attach('reviews_sentiment', 'inbox', input => 'body', output => 'mood');$$;

-- The number of what is attached to a column; null where nothing is.
create or replace function rafiki._attachment_of(target regclass, output name) returns bigint
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select split_part(t.tgname, '_', 2)::bigint
  from pg_trigger t join pg_attribute a on a.attrelid = t.tgrelid and a.attnum = t.tgattr[1] and a.attname = output
  where t.tgrelid = target and t.tgname ~ '^rafiki_[0-9]{1,18}_update$' and t.tgparentid = 0 limit 1
$$;

-- Forgets what was attached to a table by triggers that are gone. Whoever may drop those may do it.
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

create or replace function rafiki._detach(target regclass, output name) returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  attachment constant bigint := rafiki._attachment_of(target, output);
  statement text;
begin
  perform rafiki._check_given('target', target is not null);
  perform rafiki._check_given('output', output is not null);
  for statement in
    select format('drop trigger %I on %s', t.tgname, target) from pg_trigger t
    where t.tgrelid = target and (
      t.tgname ~ format('^rafiki_%s_(insert|update|waiting|rest)$', attachment) and t.tgparentid = 0
      or t.tgname = 'rafiki_' || output and t.tgfoid = 'rafiki._fill_prediction()'::regprocedure)
  loop
    execute statement;
  end loop;
  return rafiki._forget_attachments(target) or statement is not null;
end $$;

create or replace function rafiki_detach(target regclass, output name) returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._detach(target, output) $$;

comment on function rafiki_detach(regclass, name) is $$Ends what rafiki_attach began for an output column; what is predicted stays.

Arguments:
  target: the table, which has to be yours
  output: its column of predictions

Result: false if no model was attached

Errors:
  42501: the table is not yours
  22004: a null where a name is wanted

Example:
  select rafiki_detach('inbox', 'mood');$$;
