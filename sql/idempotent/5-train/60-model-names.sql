-- Checks of the model that a study makes a version of: its owner, and whether the new version is compatible with it.

create or replace function rafiki._raise_name_taken(model text) returns void
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'duplicate_object', message = format('the model name "%s" is taken by another role', model),
    hint = 'Choose another one with model => ''name''.';
end $$;

-- The result of a study or an import becomes a version of the model that it names, so
-- that model must belong to its owner, as those that are still trained or imported under
-- the name. About models of other roles the error says only that the name is taken.
create or replace function rafiki._check_model_name(model text, asker regrole) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  open record;
begin
  select s.id, s.owner into open from rafiki.study s where s.model = _check_model_name.model and s.state in ('queued', 'running');
  if (btrim(model) <> '') is not true then
    raise exception using errcode = 'invalid_name', message = 'the model name is empty',
      hint = 'Leave it out to get <table>_<task>.';
  elsif length(model) > 200 then
    raise exception using errcode = 'name_too_long', message = 'the model name is too long',
      detail = format('It has %s characters; the maximum is 200.', length(model)),
      hint = 'Choose a shorter one with model => ''name''.';
  elsif exists (select from rafiki.model m where m.name = _check_model_name.model and not pg_has_role(asker, m.owner, 'usage'))
        or open.id is not null and not pg_has_role(asker, open.owner, 'usage')
        or exists (select from rafiki.import i where i.model = _check_model_name.model and i.state in ('uploading', 'queued', 'checking')
                   and not pg_has_role(asker, i.owner, 'usage')) then
    perform rafiki._raise_name_taken(model);
  elsif open.id is not null then
    raise exception using errcode = 'object_in_use', message = format('model "%s" is in training already', model),
      detail = format('By study %s.', open.id),
      hint = format('Wait with: select rafiki_wait(%1$s); or stop it with: select rafiki_cancel(%1$s);', open.id);
  end if;
end $$;

-- The default name, <table>_<task>, does not contain the schema: raises an
-- error if a model of that name learnt from another table that still exists.
create or replace function rafiki._default_name(source regclass, task text) returns text
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  chosen record;
  other regclass;
begin
  select c.relname || '_' || task as name, n.nspname || '_' || c.relname || '_' || task as longer, format('%I.%I', n.nspname, c.relname) as source
  into chosen from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = source;
  select s.source into other from rafiki.study s
  where s.model = chosen.name
    and (s.state in ('queued', 'running')
         or s.version is not null and exists (select from rafiki.model m where m.name = s.model))
  order by s.id desc limit 1;
  if other <> source and exists (select from pg_class c where c.oid = other) then
    raise exception using errcode = 'duplicate_object',
      message = format('model "%s" learns from %s', chosen.name, (
        select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = other)),
      detail = format('By default that of %s has the same name.', chosen.source),
      hint = format('Name it, e.g. model => %L; with model => %L it becomes the next version of the other one.',
                    chosen.longer, chosen.name);
  end if;
  return chosen.name;
end $$;

-- Raises an error if the model has another task, because its callers expect answers of that kind.
create or replace function rafiki._check_model_task(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  present constant text := (select m.task from rafiki.model m where m.name = request.model);
begin
  if present <> request.task and not request.replace then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('model "%s" is one for %s', request.model, present),
      detail = format('The study is for %s: callers of the model would get other answers.', request.task),
      hint = 'Choose another name with model =>, or give replace => true.';
  end if;
end $$;

-- Raises an error if the new version would lack classes that the deployed version predicts.
create or replace function rafiki._check_model_classes(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  present record;
  missing text[];
begin
  select v.version, c.classes into present
  from rafiki.model m join rafiki.deployment d on d.model_id = m.id and d.state in ('loading', 'ready')
  join rafiki.model_version v on v.id = d.version_id join rafiki.version_classes c on c.id = v.id
  -- a deployment that is loading goes first
  where m.name = request.model and m.task = request.task order by d.state limit 1;
  if not found or request.replace or rafiki._output(request.task) = 'number' then
    return;
  end if;
  missing := array(select c from unnest(present.classes) c except select c from rafiki._study_classes(request) c order by 1);
  if missing <> '{}' then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('model "%s" knows classes that %s does not have', request.model, request.source),
      detail = format('Version %s answers with %s; missing: %s%s.', present.version,
                      (select string_agg(format('"%s"', left(c, 40)), ', ' order by n) from unnest(present.classes[:5]) with ordinality u (c, n))
                        || case when cardinality(present.classes) > 5 then ', …' else '' end,
                      (select string_agg(format('"%s"', left(c, 40)), ', ' order by n) from unnest(missing[:5]) with ordinality u (c, n)),
                      case when cardinality(missing) > 5 then format(' and %s more', cardinality(missing) - 5) else '' end),
      hint = 'Choose another name with model =>, or give replace => true.';
  end if;
end $$;

-- The owner that a model of that name has now, or would have. Inserting checks the unique index, which
-- covers all committed rows, whatever the transaction's snapshot shows; if the snapshot is too old, Postgres
-- raises 40001. The insert is undone immediately, so that no other transaction has to wait for this one.
create or replace function rafiki._name_owner(model text, task text, asker regrole) returns regrole
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  holder regrole;
begin
  insert into rafiki.model as m (name, task, owner) values (_name_owner.model, _name_owner.task, asker)
  on conflict (name) do update set task = m.task returning m.owner into holder;
  raise exception using errcode = 'UNDO0';
exception when sqlstate 'UNDO0' then
  return holder;
end $$;

-- Whether a transaction that is not committed has queued a study under the name: nothing shows its row,
-- but inserting one waits for it, at the unique index of open studies. The insert is undone
-- immediately. A study that is queued later meets the model that the caller has inserted (_name_owner).
create or replace function rafiki._has_uncommitted_study(model text) returns boolean
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms' -- below deadlock_timeout: that transaction may wait for the caller
as $$
begin
  insert into rafiki.study (id, owner, task, source, model, target, features, max_trials, max_time, validation, seed) overriding system value
  select -pg_backend_pid(), 'rafiki_owner'::regrole, t.name, 'rafiki.study'::regclass, _has_uncommitted_study.model, 'x', '{x}', 1, '1 min', 0.5, 1
  from rafiki.task t limit 1
  on conflict do nothing;
  raise exception using errcode = 'UNDO0';
exception
  when sqlstate 'UNDO0' then return false;
  when lock_not_available then return true;
end $$;
