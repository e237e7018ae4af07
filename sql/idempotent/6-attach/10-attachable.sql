-- Attaching a model to a table: what may be attached. The next files create the
-- attachment (20), fill rows while they are written (30, 40), and fill the rows
-- left over (50, 60). For the reasons see docs/decisions/0023-attached-tables.md.

-- The trigger of 0.1.0, kept for tables that were attached then. It predicts within the writer's statement,
-- which fails if there is no answer. Attaching again replaces it. Arguments: model, input column, output column.
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

-- Raises an error if a relation is not an ordinary or partitioned table, or if the caller may not have its rows filled.
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
      detail = 'Only a table has rows that triggers can fill.', hint = 'Attach the model to the table that is written to.';
  elsif not pg_has_role(owner, 'usage') then
    raise exception using errcode = 'insufficient_privilege', message = format('must be owner of table %s', target),
      detail = format('It belongs to role %s, and its rows are filled with the rights of that role.', owner),
      hint = format('Let that role call rafiki_attach, or make yourself a member: grant %s to %I;', owner, current_user);
  end if;
  perform rafiki._check_may_create_reader(owner, format('tables of role %s cannot be filled', owner));
end $$;

-- The columns of a table that a model reads: all of its own, by name; or the one that was named, or the only candidate.
create or replace function rafiki._attached_inputs(model text, task rafiki.task, target regclass, input name, output name) returns name[]
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  inputs name[];
  kinds text[];
  each name;
begin
  if task.input = 'columns' then
    if input is not null then
      perform rafiki._refuse_feature(model, 'input');
    end if;
    select r.features, r.kinds into inputs, kinds from rafiki._model_reads(model) r;
    perform rafiki._check_read_columns(model, target, inputs);
  elsif input is null then
    inputs := array[rafiki._only_candidate(target, array(
      select c.name from rafiki._task_columns(target, task) c where c.is_feature and c.name <> output), 'input', 'input => %L', nameable => false)];
  else
    inputs := array[input];
  end if;
  foreach each in array inputs loop
    perform rafiki._check_column(target, each);
  end loop;
  if output = any (inputs) then
    raise exception using errcode = 'duplicate_column', message = 'input and output are the same column',
      detail = format('Column "%s".', output),
      hint = format('Add a column for the prediction: alter table … add column … %s;', case task.output when 'number' then 'real' else 'text' end);
  end if;
  perform rafiki._check_attached_inputs(target, task, inputs, kinds);
  return inputs;
end $$;

-- Raises an error if the model cannot read the type of an input, or if a trigger would not see its value yet.
create or replace function rafiki._check_attached_inputs(target regclass, task rafiki.task, inputs name[], kinds text[]) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  strange record;
begin
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, (select k.title from rafiki.column_kind k where k.name = u.kind) as wanted
  into strange
  from rows from (unnest(inputs), unnest(kinds)) with ordinality u (name, kind, nth)
  join pg_attribute a on a.attrelid = target and a.attname = u.name
  where not case when kinds is null then exists (select from rafiki._task_columns(target, task) c where c.name = u.name and c.is_feature)
                 else exists (select from rafiki._column_kinds(target) c where c.name = u.name and c.kind = u.kind) end
  order by u.nth limit 1;
  if found then
    raise exception using errcode = 'datatype_mismatch', message = format('a model of task %s cannot read column "%s"', task.name, strange.name),
      detail = format('It has type %s.', strange.type),
      hint = case when kinds is null then format('Name a column of type %s.', case task.input when 'image' then 'bytea' else 'text' end)
                  else format('The model learnt a column that is %s: change the type, or train another model.', strange.wanted) end;
  end if;
  select a.attname as name into strange from pg_attribute a where a.attrelid = target and a.attname = any (inputs) and a.attgenerated <> '' limit 1;
  if found then
    raise exception using errcode = 'generated_always', message = format('column "%s" of %s is generated', strange.name, target),
      detail = 'It has no value yet when triggers see a new row.',
      hint = case when kinds is null then 'Attach the model to the column that it is generated from.'
                  else 'Train the model on the columns that it is generated from: features => ''{…}''.' end;
  end if;
end $$;

-- Runs a query that returns one text with the rights of a table's owner, because reading the table or using its
-- types can run the owner's code. SET ROLE would not be enough: that code could switch back to the caller's role.
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

-- The reason why a type rejects a label, or null if it accepts it.
-- Must run as the owner of the table, because the type's code runs.
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

-- Raises an error if the output column cannot be written or cannot hold
-- the predictions. It must be nullable: null means "not predicted yet".
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
      then 'It must allow null, which means that a row is not predicted yet.'
    when exists (select from pg_partitioned_table p, unnest(p.partattrs) k where p.partrelid in (
      select target union select pg_partition_ancestors(target) union select r.relid from pg_partition_tree(target) r)
      and k = attribute.attnum) then 'Its table is partitioned by it.'
    when exists (select from pg_index i where i.indrelid = target and i.indisunique and i.indnkeyatts = 1 and i.indkey[0] = attribute.attnum)
      then 'A unique index is on it, and many rows have the same prediction.'
    when task.output = 'number' and not exists (
      select from pg_type t where t.oid = attribute.atttypid and (t.typcategory = 'S' or rafiki._base_type(t.oid) in (
        'real'::regtype, 'double precision'::regtype, 'numeric'::regtype)))
      then format('It has type %s, and the model predicts numbers with fractions.', type)
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
      detail = fault,
      hint = format('Add a column for them: alter table … add column … %s;', case task.output when 'number' then 'real' else 'text' end);
  end if;
end $$;

-- Raises an error if predictions would overwrite other data: the
-- labels that the model learnt from, or values that it never predicts.
create or replace function rafiki._check_overwrites(
  target regclass, inputs name[], output name, model_id bigint, task rafiki.task, keep boolean
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
  select s.id, s.features[1] as feature, s.features = array[output] as is_swapped into study
  from rafiki.model_version v join rafiki.study s on s.id = v.study_id
  where v.model_id = _check_overwrites.model_id and (
    s.features = array[output] and (s.source = _check_overwrites.target or s.target = any (inputs))
    or s.target = output and (s.source = _check_overwrites.target or exists ( -- a view of it
      select from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
      join pg_attribute a on a.attrelid = _check_overwrites.target and a.attname = output
      where r.ev_class = s.source and d.refclassid = 'pg_class'::regclass and d.refobjid = _check_overwrites.target and d.refobjsubid = a.attnum)))
  limit 1;
  if study.is_swapped then
    raise exception using errcode = 'invalid_column_reference', message = 'input and output seem to be swapped',
      detail = format('Study %s learnt from column "%s", which predictions would overwrite.', study.id, output),
      hint = format('Give input => %L, output => …', study.feature);
  elsif found then
    raise exception using errcode = 'invalid_column_reference',
      message = format('column "%s" of %s is what the model learnt from', output, target),
      detail = format('Study %s took its labels from there; predictions would overwrite them.', study.id),
      hint = 'Add a column for predictions: alter table … add column … text;';
  end if;
  if keep then
    return;
  elsif task.output = 'number' then
    strange := rafiki._as_owner(target, format('select left(%1$I::text, 80) from %2$s where %1$I is not null limit 1', output, target));
    if strange is not null then
      raise exception using errcode = 'invalid_column_reference',
        message = format('column "%s" of %s has numbers already', output, target), detail = format('One is %s; predictions would overwrite it.', strange),
        hint = 'Name another column, or attach with keep => true: then existing values are kept, and only nulls are predicted.';
    end if;
  end if;
  if task.output <> 'label' or cardinality(classes) = 0 then
    return;
  end if;
  strange := rafiki._as_owner(target, format(
    'select left(x::text, 80) from (select %1$I as x from %2$s where %1$I is not null limit 1000) t '
    'where x::text not in (select unnest(%3$L::text[])) limit 1', output, target, classes));
  if strange is not null then
    raise exception using errcode = 'invalid_column_reference',
      message = format('column "%s" of %s holds something else than predictions', output, target),
      detail = format('The model never predicts "%s".', strange),
      hint = 'Name another column, or attach with keep => true: then existing values are kept, and only nulls are predicted.';
  end if;
end $$;
