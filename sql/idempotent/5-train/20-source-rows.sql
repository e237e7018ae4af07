-- Checks of the rows of a study's source: their number, their classes, and their contents.

-- Raises an error if a source has no row to learn from.
create or replace function rafiki._check_counts(request rafiki.study, total bigint, labelled bigint) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if total = 0 then
    raise exception using errcode = 'no_data_found', message = format('%s is empty', request.source),
      detail = format('Role %s sees no row in it.', current_user), hint = 'Load some labelled rows first.';
  elsif labelled = 0 then
    raise exception using errcode = 'null_value_not_allowed', message = format('%s has no labelled row', request.source),
      detail = format('In all of its %s rows "%s"%s is null.', total, request.target,
                      case when request.kinds is null then format(' or "%s"', request.features[1]) end),
      hint = 'Fill in some labels, or name another column with target =>.';
  end if;
end $$;

-- Raises an error if labels are too long, or if there are too many different ones.
create or replace function rafiki._check_labels(
  source regclass, target name, is_given text, longest int, classes bigint, bytes numeric
) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  row_name text;
begin
  if longest > @max_label_chars@ then
    execute format('select %1$s from %2$s where length(%3$I::text) > @max_label_chars@ and %4$s limit 1',
                   rafiki._row_name(source), source, target, is_given) into row_name;
    raise exception using errcode = 'string_data_right_truncation', message = format('%s has a label that is too long', source),
      detail = format('%s"%s" has %s characters in the longest; the maximum is %s.',
                      coalesce(nullif(row_name, '') || ': ', ''), target, longest, @max_label_chars@),
      hint = 'Correct the row, name another column with target =>, or leave such rows out with on_bad_row => ''skip''.';
  elsif classes > @max_classes@ or bytes > @max_class_bytes@ then
    raise exception using errcode = 'program_limit_exceeded', message = format('%s has too many classes', source),
      detail = format('"%s" has %s different values of %s together; the maximum is %s, and %s MB.',
                      target, classes, pg_size_pretty(bytes), @max_classes@, @max_class_bytes@ / 1048576),
      hint = 'Group rare classes under one label in a view, or name another column with target =>: this one may be no label.';
  end if;
end $$;

-- Checks in one scan, with the caller's rights, whether there are enough rows to learn from.
create or replace function rafiki._check_classes(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  source constant regclass := request.source;
  target constant name := request.target;
  counted record;
begin
  -- grouped by label first, so that DISTINCT compares only labels that were cut to a limited length
  execute format('select coalesce(sum(n), 0) as total, coalesce(sum(n) filter (where usable), 0) as labelled, '
                 'max(length) filter (where usable) as longest, count(distinct label) filter (where usable) as classes, '
                 'sum(octet_length(label)) filter (where usable) as bytes, min(label) filter (where usable) as example, '
                 'coalesce(sum(n) filter (where usable and validates), 0) as validating, '
                 'coalesce(sum(n) filter (where usable and validates is not true), 0) as learnt, '
                 'count(distinct label) filter (where usable and validates is not true) as learnt_classes, '
                 'count(distinct label) filter (where usable and validates) as validating_classes, '
                 'min(label) filter (where usable and validates is not true) as learnt_example, '
                 'min(label) filter (where usable and validates) as validating_example '
                 'from (select label, length, usable, validates, count(*) as n from ('
                   'select left(t.text, @max_label_chars@ + 1) as label, length(t.text) as length, t.validates, '
                   't.text is not null and t.is_given and (length(t.text) <= @max_label_chars@ or %2$L <> ''skip'') as usable '
                   'from (select r.label::text as text, %3$s as is_given, r.validates from (%1$s) r offset 0) t'
                   ') l group by label, length, usable, validates) g',
                 rafiki._study_rows(request), request.on_bad_row, rafiki._given_test(request.kinds is not null, 'r.input')) into counted;
  perform rafiki._check_counts(request, counted.total::bigint, counted.labelled::bigint);
  perform rafiki._check_labels(source, target, rafiki._given_test(request.kinds is not null, quote_ident(request.features[1])),
                               counted.longest, counted.classes, counted.bytes);
  if rafiki._has_validation_rows(request) then
    perform rafiki._check_sides(request, counted.learnt::bigint, counted.validating::bigint);
    if counted.learnt_classes + counted.validating_classes = counted.classes then
      raise exception using errcode = 'invalid_parameter_value', message = 'the rows to train on and those to validate on share no class',
        detail = format('To train on: %s classes, such as "%s". To validate on: %s classes, such as "%s".', counted.learnt_classes,
                        left(counted.learnt_example, 40), counted.validating_classes, left(counted.validating_example, 40)),
        hint = 'No answer could be right: write the labels of both alike, or choose other rows with validation_source =>, '
          'validation_split => or validation_after =>.';
    end if;
  end if;
  if counted.learnt_classes = 1 then
    raise exception using errcode = 'data_exception', message = format('%s has one class only', source),
      detail = format('"%s" is %s in all %s labelled rows%s.', target, quote_literal(left(counted.example, 40)), counted.learnt,
                      case when rafiki._has_validation_rows(request) then ' that are learnt' else '' end),
      hint = 'Give rows of at least two classes, or name another column with target =>.';
  elsif counted.labelled < counted.classes * 2 and not rafiki._has_validation_rows(request) then
    raise exception using errcode = 'cardinality_violation',
      message = format('%s has too few rows for its classes', source),
      detail = format('%s labelled rows have %s different values of "%s"; the minimum is two per class.',
                      counted.labelled, counted.classes, target),
      hint = 'Give more rows, or name another column with target =>: this one may be no label.'
             || coalesce(' ' || (select rafiki._regression_hint() from rafiki._source_columns(source) c
                                 where c.name = target and c.type ~ '^(numeric|integer|bigint|smallint)'), '');
  end if;
  perform rafiki._check_inputs(request);
end $$;

-- Raises an error if the chosen validation rows are none, or leave no rows to train on.
create or replace function rafiki._check_sides(request rafiki.study, learnt bigint, validating bigint) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if learnt > 0 and validating > 0 then
    return;
  end if;
  raise exception using errcode = 'no_data_found',
    message = case when validating = 0 then 'there is no row to validate on' else 'there is no row to train on' end,
    detail = case
      when request.validation_source is not null then format('%s has %s labelled rows, %s has %s.', request.source, learnt,
                                                             request.validation_source, validating)
      when request.validation_after is null then format('"%s" is true in %s of %s labelled rows.', request.validation_split, validating,
                                                        validating + learnt)
      else format('"%s" is later than %s in %s of %s labelled rows.', request.validation_split, request.validation_after, validating,
                  validating + learnt) end,
    hint = 'Trials learn from some rows and are scored on others; leave the option out to have a share of the rows chosen.';
end $$;

-- The hash that identifies an input, a text or the bytes of an image: the first eight bytes of its SHA-256, as in
-- src/datasets/split.ts. No pinned search path, so that the planner can inline it: it is evaluated for every row.
create or replace function rafiki._input_hash(input bytea) returns bigint
language sql immutable parallel safe
as $$ select pg_catalog.concat('x', pg_catalog.encode(pg_catalog.substr(pg_catalog.sha256(input), 1, 8), 'hex'))::pg_catalog.bit(64)::bigint $$;
create or replace function rafiki._input_hash(input text) returns bigint
language sql immutable parallel safe
as $$ select rafiki._input_hash(pg_catalog.convert_to(input, 'UTF8')) $$;

-- How an input of a task's kind is hashed.
create or replace function rafiki._hash_call(task text) returns text
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select format('rafiki._input_hash(r.input::%s)', case t.input when 'image' then 'bytea' else 'text' end)
  from rafiki.task t where t.name = task
$$;

-- Columns as the subject of a sentence, with its verb.
create or replace function rafiki._feature_names(features name[]) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when cardinality(features) = 1 then format('"%s" has', features[1])
              else format('%s columns have', cardinality(features)) end
$$;

-- Raises an error if there is only one input, or if rows with equal
-- inputs, which stay on one side of the split, leave none to validate on.
create or replace function rafiki._check_inputs(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  first_rows constant int := 200; -- usually enough to find a second input
  kind constant text := (select case t.input when 'columns' then 'row' else t.input end from rafiki.task t where t.name = request.task);
  -- numbers are all of one class
  label constant text := case rafiki._output(request.task) when 'number' then quote_literal('') else 'r.label::text' end;
  looked_at int;
  counted record;
begin
  foreach looked_at in array array[first_rows, null] loop
    execute format('select count(distinct hash) as inputs, coalesce(sum(rows), 0) as rows, max(of_label) as widest '
                   'from (select hash, label, count(*) as rows, count(*) over (partition by label) as of_label '
                     'from (select %s as label, %s as hash from (%s) r '
                       'where r.label is not null and %s limit %s) h group by hash, label) g',
                   label, rafiki._hash_call(request.task), rafiki._study_rows(request), rafiki._given_test(request.kinds is not null, 'r.input'),
                   coalesce(looked_at::text, 'all')) into counted;
    if counted.widest > 1 or rafiki._has_validation_rows(request) and counted.inputs > 1 then
      return;
    end if;
  end loop;
  if counted.inputs = 1 then
    raise exception using errcode = 'data_exception', message = format('all %ss of %s are the same', kind, request.source),
      detail = format('%s one value in its %s labelled rows.', rafiki._feature_names(request.features), counted.rows),
      hint = format('Nothing can be learnt from it: name another column with features =>, or give rows of different %ss.', kind);
  end if;
  raise exception using errcode = 'cardinality_violation', message = format('%s repeats too few %ss', request.source, kind),
    detail = format('Its %s labelled rows have %s different values of %s, and no class has two.',
                    counted.rows, counted.inputs, case when request.kinds is null then format('"%s"', request.features[1]) else 'their columns' end),
    hint = format('%s are either learnt or validated on: give two different ones of a class at least.',
                  case kind when 'row' then 'Equal rows' else format('Rows of the same %s', kind) end);
end $$;

-- The same for boxes. What is wrong in one of them is found when a worker reads the images: they have to fit.
create or replace function rafiki._check_boxes(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  counted record;
begin
  execute format('select count(*) as total, count(*) filter (where usable) as labelled, '
                 'count(*) filter (where usable and label <> %L) as boxed, '
                 'count(*) filter (where usable and validates) as validating '
                 'from (select r.label, r.validates, r.label is not null and r.input is not null as usable from (%s) r) t',
                 '[]', rafiki._study_rows(request)) into counted;
  perform rafiki._check_counts(request, counted.total, counted.labelled);
  if rafiki._has_validation_rows(request) then
    perform rafiki._check_sides(request, counted.labelled - counted.validating, counted.validating);
  end if;
  if counted.boxed < 2 then
    raise exception using errcode = 'cardinality_violation',
      message = format('%s has too few images with boxes', request.source),
      detail = format('In %s of its %s labelled rows "%s" has a box; the minimum is two.', counted.boxed, counted.labelled,
                      request.target),
      hint = 'Give more rows, or name another column with target =>.';
  end if;
end $$;

-- The classes in the rows of a study.
create or replace function rafiki._study_classes(request rafiki.study) returns setof text
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  return query execute format(
    case when rafiki._output(request.task) = 'boxes' -- the boxes may not have been validated yet
      then 'select distinct b #>> ''{}'' from (%s) r, jsonb_path_query(r.label, ''$[*].label'') b where r.input is not null'
      else 'select distinct r.label::text from (%s) r where r.label is not null and %s' end,
    rafiki._study_rows(request), rafiki._given_test(request.kinds is not null, 'r.input'));
end $$;
