-- A model attached to a table: it predicts new and changed rows by trigger, with the rights of whoever writes them.

-- Arguments: model, input column, output column.
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

create or replace function rafiki._attach(model text, target regclass, input name, output name) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  task rafiki.task;
  wrong text;
begin
  perform rafiki._check_given(g.what, g.is_given) from (values ('model', model is not null), ('target', target is not null),
    ('input', input is not null), ('output', output is not null)) g (what, is_given);
  perform rafiki._model_key(model);
  perform rafiki._check_relation(target);
  perform rafiki._check_column(target, input);
  perform rafiki._check_column(target, output);
  select t.* into task from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model;
  select format('Column "%s" has type %s.', c.name, c.type) into wrong
  from rafiki._task_columns(target, task) c where c.name = input and not c.is_feature;
  if wrong is not null then
    raise exception using errcode = 'datatype_mismatch', message = format('model "%s" does not read such a column', model),
      detail = wrong, hint = format('Name a column of type %s.', case task.input when 'image' then 'bytea' else 'text' end);
  elsif input = output then
    raise exception using errcode = 'duplicate_column', message = 'input and output are the same column',
      detail = format('Column "%s".', input), hint = 'Add a column for the prediction: alter table … add column … text;';
  elsif (select c.relkind from pg_class c where c.oid = target) not in ('r', 'p') then
    raise exception using errcode = 'wrong_object_type', message = format('%s is not a table', target),
      detail = 'Only a table has rows that change.', hint = 'Attach the model to the table that is written to.';
  end if;
  execute format('create or replace trigger %I before insert or update of %I on %s '
                 'for each row execute function rafiki._fill_prediction(%L, %L, %L)',
                 'rafiki_' || output, input, target, model, input, output);
end $$;

create or replace function rafiki_attach(model text, target regclass, input name, output name) returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._attach(model, target, input, output) $$;

comment on function rafiki_attach(text, regclass, name, name) is
  'From now on a trigger predicts each new row of a table, and each whose input is written: '
  'select rafiki_attach(''reviews_sentiment'', ''reviews'', ''body'', ''mood''). Rows that are there already: '
  'update reviews set body = body. Whoever writes rows has to be allowed to use the model (rafiki_grant), and a server has '
  'to answer. Attaching to the same output again changes the model.';

create or replace function rafiki._detach(target regclass, output name) returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_given('target', target is not null);
  perform rafiki._check_given('output', output is not null);
  if not exists (select from pg_trigger t where t.tgrelid = target and t.tgname = 'rafiki_' || output
                 and t.tgfoid = 'rafiki._fill_prediction()'::regprocedure) then
    return false;
  end if;
  execute format('drop trigger %I on %s', 'rafiki_' || output, target);
  return true;
end $$;

create or replace function rafiki_detach(target regclass, output name) returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._detach(target, output) $$;

comment on function rafiki_detach(regclass, name) is
  'Ends what rafiki_attach began for an output column; what is predicted stays. False if no model was attached.';
