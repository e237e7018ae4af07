-- Checks of a study's source: first the relation, then columns, then rows. Column
-- privileges suffice: columns that the caller may not read are ignored as candidates.

create or replace function rafiki._check_relation(source regclass, may_be_temporary boolean default false) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  relation pg_class;
begin
  select * into relation from pg_class c where c.oid = source;
  if not found then
    raise exception using errcode = 'undefined_table', message = 'the source is not a relation of this database',
      detail = format('It is %s.', coalesce(source::text, 'null')),
      hint = 'Name a table, e.g. rafiki_train(''sentiment'', ''reviews'').';
  elsif relation.relkind not in ('r', 'p', 'v', 'm', 'f') then
    raise exception using errcode = 'wrong_object_type', message = format('%s has no rows to learn from', source),
      detail = case relation.relkind when 'S' then 'It is a sequence.' when 'c' then 'It is a type.' else 'It is an index.' end,
      hint = 'Name a table, a view, a materialized view or a foreign table.';
  elsif relation.relpersistence = 't' and not may_be_temporary then
    raise exception using errcode = 'feature_not_supported', message = format('%s is a temporary table', source),
      detail = 'Other sessions, the workers among them, cannot read it.', hint = 'Copy it: create table … as table ….';
  elsif not has_any_column_privilege(source, 'select') then
    raise exception using errcode = 'insufficient_privilege', message = format('permission denied for %s', source),
      detail = format('Role %s may select none of its columns.', current_user),
      hint = format('Let its owner run: grant select on %s to %I;', source, current_user);
  end if;
end $$;

-- The columns that the caller may read, and what each can be used for, by its type.
create or replace function rafiki._source_columns(source regclass)
returns table (name name, type text, is_text boolean, is_image boolean, is_boxes boolean, is_label boolean)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select a.attname, format_type(a.atttypid, a.atttypmod),
         base.typcategory = 'S', base.oid = 'bytea'::regtype, base.oid = 'jsonb'::regtype,
         (base.typcategory in ('S', 'B', 'E') or base.oid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype))
           and coalesce(rafiki._identifies(source, a.attname) = 'part of the primary key', true)
  from pg_attribute a
  join pg_type base on base.oid = rafiki._base_type(a.atttypid)
  where a.attrelid = source and a.attnum > 0 and not a.attisdropped
    and has_column_privilege(source, a.attnum, 'select')
  order by a.attnum
$$;

-- What each column can be used for in a task.
create or replace function rafiki._task_columns(source regclass, task rafiki.task)
returns table (name name, type text, is_feature boolean, is_target boolean, named_as_target boolean)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select c.name, c.type,
         case task.input when 'image' then c.is_image when 'text' then c.is_text else k.kind is not null end,
         case task.output when 'boxes' then c.is_boxes when 'number' then k.kind = 'number' and rafiki._identifies(source, c.name) is null
                          else c.is_label end,
         lower(c.name) = any (case task.output when 'boxes' then array['boxes', 'objects', 'annotations']
                              when 'number' then array['target', 'y', 'value']
                              else array['label', 'target', 'class', 'category', 'sentiment', 'y'] end)
  from rafiki._source_columns(source) c join rafiki._column_kinds(source) k using (name) order by k.place
$$;

-- Raises an error unless the named column exists and the caller may read it.
create or replace function rafiki._check_column(source regclass, name name) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pg_attribute a
                 where a.attrelid = source and a.attname = _check_column.name
                   and a.attnum > 0 and not a.attisdropped) then
    raise exception using errcode = 'undefined_column',
      message = format('column "%s" of %s does not exist', name, source),
      detail = 'Names are matched exactly, upper and lower case too.',
      hint = format('Its columns, nearest name first: %s.',
                    (select rafiki._nearest(_check_column.name, array_agg(c.name::text))
                     from rafiki._source_columns(source) c));
  elsif not has_column_privilege(source, name, 'select') then
    raise exception using errcode = 'insufficient_privilege',
      message = format('permission denied for column "%s" of %s', name, source),
      detail = format('Role %s may not select it.', current_user),
      hint = format('Let the owner run: grant select (%I) on %s to %I;', name, source, current_user);
  end if;
end $$;

-- Returns the only candidate; with none or several, raises an error that lists
-- them. `nameable`: whether the caller could name a column that is not a candidate.
create or replace function rafiki._only_candidate(source regclass, candidates name[], role text, example text, nameable boolean)
returns name
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  columns text := rafiki._listed(array(select format('%s %s', c.name, c.type) from rafiki._source_columns(source) c));
begin
  if cardinality(candidates) = 1 then
    return candidates[1];
  elsif cardinality(candidates) > 1 then
    raise exception using errcode = 'ambiguous_column',
      message = format('several columns of %s could be the %s', source, role),
      detail = format('Candidates: %s.', rafiki._listed(candidates::text[])),
      hint = format('Choose one with %s.', format(example, candidates[1]));
  end if;
  raise exception using errcode = 'undefined_column', message = format('no column of %s can be the %s', source, role),
    detail = format('Columns that you may read: %s.', columns),
    hint = case when nameable then format('Name it with %s, or add it in a view', format(example, 'name')) else 'Add it in a view' end
      || case when role like 'image%'
           then ': images are bytea, of base64 decode(column, ''base64'') as image. Files are not opened: load their bytes into a column.'
         when role like 'text%' then ': texts have a type such as text, and others can be joined to one: concat_ws('' '', make, year) as body.'
         else '.' end;
end $$;

-- Infers the columns that were not named, each only if exactly one candidate is left.
create or replace function rafiki._infer_columns(
  source regclass, task rafiki.task, inout target name, inout feature name, feature_argument text default 'features => array[%L]',
  split name default null -- says which rows are for validation, and so is neither
)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  columns constant text := 'target => %L';
  candidates name[];
begin
  if target is null then
    select array_agg(c.name) into candidates from rafiki._task_columns(source, task) c
    where c.is_target and c.named_as_target and c.name is distinct from feature and c.name is distinct from split;
    if candidates is not null then
      target := rafiki._only_candidate(source, candidates, 'target', columns, nameable => true);
    end if;
  end if;
  if feature is null then
    select coalesce(array_agg(c.name), '{}') into candidates from rafiki._task_columns(source, task) c
    where c.is_feature and c.name is distinct from target and c.name is distinct from split;
    feature := rafiki._only_candidate(source, candidates, task.input || ' to learn from', feature_argument, nameable => false);
  end if;
  if target is null then
    select coalesce(array_agg(c.name), '{}') into candidates from rafiki._task_columns(source, task) c
    -- id identifies rows
    where c.is_target and c.name <> feature and c.name is distinct from split and lower(c.name) <> 'id';
    target := rafiki._only_candidate(source, candidates, 'target', columns, nameable => true);
  end if;
end $$;

-- The hint for a user who wants to predict a number.
create or replace function rafiki._regression_hint() returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select 'Numbers are predicted by the tasks tabular_regression, text_regression and image_regression; a view can make classes of them, e.g. width_bucket(price, 0, 1000, 5).' $$;

-- Whether a type, as format_type writes it, is one whose values are no labels; a domain counts as its base type.
create or replace function rafiki._has_no_labels(type text) returns boolean
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select coalesce(format_type(rafiki._base_type(to_regtype(type)), null), type) ~ '^(json|bytea|xml|double|real|timestamp|date|time|interval|.*[[][]])' $$;

-- The target of a task of several columns: the one that was named, or the only candidate by type and name.
create or replace function rafiki._resolve_target(source regclass, task rafiki.task, named name, split name) returns name
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  candidates constant name[] := array(select c.name from rafiki._task_columns(source, task) c where c.is_target and c.name is distinct from split);
  likely constant name[] := array(select c.name from rafiki._task_columns(source, task) c
                                  where c.is_target and c.named_as_target and c.name is distinct from split);
  type text;
  identifies text;
begin
  if named is null then
    return rafiki._only_candidate(source, case when cardinality(likely) = 1 then likely else candidates end, 'target', 'target => %L', nameable => true);
  end if;
  perform rafiki._check_column(source, named);
  type := (select c.type from rafiki._source_columns(source) c where c.name = named and not (task.output = 'number' and c.is_text));
  identifies := rafiki._identifies(source, named);
  if task.output = 'number' and identifies is not null then
    raise exception using errcode = 'datatype_mismatch', message = format('column "%s" of %s identifies rows', named, source),
      detail = format('It is %s: nothing that other columns say about it is true of new rows.',
                      case identifies when 'part of the primary key' then identifies else 'the ' || replace(identifies, 'numbered', 'column numbered') end),
      hint = 'Name another column with target =>.';
  elsif task.output = 'number' and named <> all (candidates) and type is not null
        or task.output = 'label' and rafiki._has_no_labels(type) then
    raise exception using errcode = 'datatype_mismatch', message = 'a column has a type that this task cannot use',
      detail = format('Column "%s" has type %s.', named, type),
      hint = case task.output when 'number' then 'The target of a regression is a number; a view can cast it, or take a part of it.'
                              else 'Labels are text, boolean, integer or an enum; a view can cast them. ' || rafiki._regression_hint() end;
  end if;
  return named;
end $$;

-- Finds target and features, named or inferred, and checks that the task can use their types.
create or replace function rafiki._resolve_columns(
  source regclass, task rafiki.task, inout target name, inout features name[], out kinds text[],
  feature_argument text default 'features => array[%L]', -- as the caller's function spells it
  split name default null
)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  named name;
  feature name;
  wrong text;
begin
  if task.input = 'columns' then
    target := rafiki._resolve_target(source, task, target, split);
    select f.features, f.kinds into features, kinds from rafiki._resolve_features(source, task, target, features, split) f;
    return;
  elsif cardinality(features) > 1 then
    raise exception using errcode = 'feature_not_supported', message = format('task %s learns from one column', task.name),
      detail = format('Given: %s.', array_to_string(features, ', ')),
      hint = 'Name one with features =>. Texts can be joined in a view, e.g. select title || '' '' || body as body. Several columns are read by the tasks tabular_….';
  end if;
  feature := features[1];
  foreach named in array array_remove(array[target, feature], null) loop
    perform rafiki._check_column(source, named);
  end loop;
  if target = feature then
    raise exception using errcode = 'duplicate_column',
      message = format('column "%s" cannot be both feature and target', target),
      hint = format('Name another column with target => or %s =>.', split_part(feature_argument, ' ', 1));
  end if;
  select * into target, feature from rafiki._infer_columns(source, task, target, feature, feature_argument, split);
  select format('Column "%s" has type %s.', c.name, c.type) into wrong from rafiki._task_columns(source, task) c
  where c.name = feature and not c.is_feature
     or c.name = target and case task.output when 'boxes' then not c.is_target
        when 'number' then not c.is_target and not exists (select from rafiki._source_columns(source) s where s.name = target and s.is_text)
        else rafiki._has_no_labels(c.type) end;
  if wrong is not null then
    raise exception using errcode = 'datatype_mismatch',
      message = 'a column has a type that this task cannot use', detail = wrong,
      hint = format('The task %s learns from a %s column; %s. A view can cast them%s.%s', task.name,
                    case task.input when 'image' then 'bytea' else 'text' end,
                    case task.output when 'boxes' then 'boxes are jsonb arrays of {"label", "x", "y", "w", "h"}'
                                     when 'number' then 'the target is a number that identifies no rows'
                                     else 'labels are text, boolean, integer or an enum' end,
                    case task.input when 'image' then ', as decode(column, ''base64'') as image' end,
                    case when wrong ~ 'type (real|double)' then ' ' || rafiki._regression_hint() else '' end);
  end if;
  features := array[feature];
end $$;
